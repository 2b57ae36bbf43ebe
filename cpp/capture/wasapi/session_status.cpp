// SPDX-License-Identifier: MIT
#include "capture/wasapi/session_status.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <set>
#include <utility>

#include "capture/input_channels.hpp"
#include "capture/mixed_source.hpp"
#include "core/decibels.hpp"
#include "os/process_snapshot.hpp"

namespace pypac {
namespace {

constexpr HostTime kLoudWithin = std::chrono::milliseconds(500);

}  // namespace

std::string listed(const std::vector<ProcessEntry>& processes) {
  std::vector<std::string> names;
  for (const ProcessEntry& process : processes) {
    if (std::ranges::find(names, process.executable) == names.end())
      names.push_back(process.executable);
  }
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::vector<StreamView> stream_views(const AudioSeen& seen,
                                     const std::map<std::uint64_t, float>& peaks) {
  std::vector<StreamView> views;
  const std::int64_t own = current_process_id();
  for (const AudioSession& session : seen.sessions) {
    StreamView view;
    view.serial = session.serial;
    view.pid = session.pid;
    // Browsers play from a process of their own: the user knows the one at the top.
    const std::vector<ProcessEntry> line = seen.processes.lineage(session.pid);
    for (const ProcessEntry& process : line) {
      if (process.executable != line.front().executable) break;
      const ProcessEntry* const running = seen.processes.find(process.pid);
      if (!running || running->start_time != process.start_time) break;
      view.pid = process.pid;
    }
    if (!line.empty()) view.program = line.front().executable;
    view.application_name = session.name;
    view.kind = name_of(session.pid == own ? StreamKind::own : StreamKind::playback);
    view.state = session.active ? "running" : "idle";
    view.sink = session.endpoint;
    view.playing = session.active;
    view.muted = session.muted;
    if (!session.active)
      view.silence = state_reason(SourceState::paused, {.system = AudioSystem::windows});
    else if (session.muted || session.volume <= 0)
      view.silence = state_reason(SourceState::muted, {.system = AudioSystem::windows});
    view.volume = session.volume;
    view.volume_db = db_from_linear(session.volume);
    view.channels = session.channels;
    view.peak_db = std::numeric_limits<double>::quiet_NaN();
    if (const auto peak = peaks.find(session.serial); peak != peaks.end())
      view.peak_db = db_from_linear(peak->second);
    views.push_back(std::move(view));
  }
  for (const AudioInput& input : seen.inputs) {
    StreamView view;
    view.serial = input.serial;
    view.node_name = input.name;
    view.description = input.name;
    view.kind = name_of(StreamKind::input);
    view.state = "idle";
    view.peak_db = std::numeric_limits<double>::quiet_NaN();
    views.push_back(std::move(view));
  }
  std::ranges::sort(views, {}, &StreamView::serial);
  return views;
}

StateFacts told_facts(const AudioSeen& seen, const Selector& selector, const Bound& bound) {
  const bool device = selector.kind == SelectorKind::device;
  StateFacts facts;
  // Processes are bound, with audio or without.
  if (bound.binding.presence != Presence::not_running) facts.presence = Presence::bound;
  facts.refused =
      !device && bound.targets.empty() && !(bound.entangled.empty() && bound.unidentified.empty());
  const std::vector<const AudioSession*> sessions = sessions_of(seen, bound);
  facts.has_stream = device || (!bound.targets.empty() && !sessions.empty());
  facts.playing =
      device || std::ranges::any_of(sessions, [](const auto* one) { return one->active; });
  facts.audible = device || std::ranges::any_of(sessions, [](const auto* one) {
                    return one->active && !one->muted && one->volume > 0;
                  });
  return facts;
}

bool is_loud(const AudioSeen& seen, const Bound& bound, HostTime time) {
  return std::ranges::any_of(sessions_of(seen, bound), [&](const AudioSession* session) {
    return session->active && !session->muted && session->volume > 0 &&
           session->last_loud.count() != 0 && time - session->last_loud < kLoudWithin;
  });
}

ReasonFacts told_reason(const AudioSeen& seen, const Selector& selector, const Bound& bound) {
  ReasonFacts facts;
  facts.system = AudioSystem::windows;
  facts.device = selector.kind == SelectorKind::device;
  facts.program_runs = !bound.pids.empty() && selector.kind != SelectorKind::system;
  facts.entangled = listed(bound.entangled);
  facts.unidentified = listed(bound.unidentified);
  facts.own = listed(bound.own);
  if (facts.device) {
    for (const AudioInput& input : seen.inputs) facts.inputs.push_back(input.name);
  }
  return facts;
}

SourceStatus binding_status(const AudioSeen& seen, const Selector& selector, const Bound& bound) {
  SourceStatus status;
  status.pids = bound.binding.pids;
  const std::vector<const AudioSession*> sessions = sessions_of(seen, bound);
  for (const ProcessEntry& root : bound.roots) {
    BoundStream stream;
    stream.serial = static_cast<std::uint64_t>(root.pid);
    stream.pid = root.pid;
    stream.program = root.executable;
    stream.state = "idle";
    bool all_muted = true;
    std::set<std::string> devices;
    for (const AudioSession* const session : sessions) {
      const std::vector<ProcessEntry> line = seen.processes.lineage(session->pid);
      if (std::ranges::none_of(line, [&](const auto& one) { return one.pid == root.pid; }))
        continue;
      if (stream.application_name.empty()) stream.application_name = session->name;
      if (session->active) stream.state = "running";
      all_muted = all_muted && session->muted;
      stream.muted = all_muted;
      devices.insert(session->endpoint);
    }
    stream.devices.assign(devices.begin(), devices.end());
    const std::map<std::uint64_t, Tie>& ties = bound.binding.ties;
    if (const auto tie = ties.find(stream.serial); tie != ties.end()) {
      stream.claim = tie->second.claim;
      stream.ancestor = tie->second.ancestor;
    }
    status.streams.push_back(std::move(stream));
  }
  for (const auto& [serial, claim] : bound.binding.left_out_by_claim) {
    const auto pid = static_cast<std::int64_t>(serial);
    if (std::ranges::find(seen.sessions, pid, &AudioSession::pid) == seen.sessions.end()) continue;
    const ProcessEntry* const process = seen.processes.find(pid);
    status.left_out.push_back({pid, process ? process->executable : "", claim});
  }
  for (const AudioInput& input : seen.inputs) {
    const bool taken = std::ranges::any_of(bound.targets, [&](const CaptureTarget& target) {
      return target.kind == CaptureTarget::Kind::endpoint && target.endpoint_id == input.id;
    });
    if (!taken) continue;
    BoundStream stream;
    stream.serial = input.serial;
    stream.program = input.name;
    stream.state = "running";
    stream.inputs = input.channels;
    // As CaptureClient does it.
    const bool by_number = !input.placed && input.channels > kTapChannels;
    const std::vector<std::string> positions(input.channels, by_number ? "AUX" : "");
    stream.taken = taken_inputs(selector.channels, positions);
    status.streams.push_back(std::move(stream));
  }
  return status;
}

}  // namespace pypac
