// SPDX-License-Identifier: MIT
#include "capture/wasapi/tree_bindings.hpp"

#include <algorithm>
#include <map>
#include <ranges>
#include <utility>

#include "capture/process_cover.hpp"
#include "os/process_snapshot.hpp"

namespace pypac {
namespace {

// Windows' own first processes never end, and it need not tell when they began.
constexpr std::int64_t kLastOfSystem = 4;

std::vector<StreamIdentity> identities(const AudioSeen& seen) {
  // What can be taken is processes, with audio or without: sessions come only once audio starts.
  std::vector<StreamIdentity> streams;
  const std::int64_t own = current_process_id();
  for (const ProcessEntry& process : seen.processes.processes()) {
    StreamIdentity stream;
    stream.serial = static_cast<std::uint64_t>(process.pid);
    stream.kind = process.pid == own ? StreamKind::own : StreamKind::playback;
    stream.pid = process.pid;
    stream.lineage = seen.processes.lineage(process.pid);
    streams.push_back(std::move(stream));
  }
  for (std::size_t i = 0; i < seen.inputs.size(); ++i) {
    StreamIdentity stream;
    stream.serial = i;
    stream.kind = StreamKind::input;
    stream.node_name = seen.inputs[i].name;
    stream.is_default = seen.inputs[i].is_default;
    streams.push_back(std::move(stream));
  }
  return streams;
}

bool is_identified(const AudioSeen& seen, std::int64_t pid) {
  // Without the time of its creation a process is not told from the next one with its PID, nor
  // its children from those of the one before.
  return std::ranges::none_of(seen.processes.lineage(pid), [](const ProcessEntry& one) {
    return one.start_time == 0 && one.pid > kLastOfSystem;
  });
}

std::vector<ProcessEntry> playing_children(const AudioSeen& seen) {
  std::map<std::int64_t, ProcessEntry> children;
  const std::int64_t own = current_process_id();
  for (const AudioSession& session : seen.sessions) {
    const std::vector<ProcessEntry> line = seen.processes.lineage(session.pid);
    if (session.pid == own || std::ranges::find(line, own, &ProcessEntry::pid) == line.end())
      continue;
    children.emplace(session.pid, line.front());
  }
  const auto values = std::views::values(children);
  return {values.begin(), values.end()};
}

Bound trees_of(const Selector& selector, Binding binding, const AudioSeen& seen) {
  Bound bound;
  if (selector.kind == SelectorKind::device) {
    for (const std::uint64_t index : binding.serials) {
      CaptureTarget target{CaptureTarget::Kind::endpoint, 0, 0, seen.inputs[index].id};
      if (!selector.channels.empty()) {
        target.left = selector.channels.front();
        target.right = selector.channels.back();
      }
      bound.targets.push_back(std::move(target));
    }
  } else {
    for (const std::uint64_t serial : binding.serials)
      bound.pids.insert(static_cast<std::int64_t>(serial));
  }
  if (selector.kind == SelectorKind::system) {
    // All but ourselves, who play nothing.
    const std::int64_t own = current_process_id();
    const ProcessEntry* const process = seen.processes.find(own);
    bound.targets.push_back(CaptureTarget{
        CaptureTarget::Kind::all_but_tree, own, process ? process->start_time : 0, {}});
    bound.own = playing_children(seen);
    for (const ProcessEntry& child : bound.own) bound.pids.erase(child.pid);
  } else if (selector.kind != SelectorKind::device) {
    std::erase_if(bound.pids, [&](std::int64_t pid) {
      if (is_identified(seen, pid)) return false;
      bound.unidentified.push_back(*seen.processes.find(pid));
      return true;
    });
    ProcessCover cover;
    if (selector.kind == SelectorKind::process) {
      cover = cover_with_trees(seen.processes, bound.pids);
    } else {
      std::set<std::int64_t> playing;
      for (const AudioSession& session : seen.sessions) playing.insert(session.pid);
      cover = cover_playing(seen.processes, bound.pids, playing);
      std::erase_if(bound.pids, [&](std::int64_t pid) { return !playing.contains(pid); });
      std::erase_if(bound.unidentified,
                    [&](const ProcessEntry& one) { return !playing.contains(one.pid); });
    }
    for (const ProcessEntry& root : cover.roots) {
      bound.targets.push_back(
          CaptureTarget{CaptureTarget::Kind::tree, root.pid, root.start_time, {}});
    }
    bound.roots = std::move(cover.roots);
    bound.entangled = std::move(cover.entangled);
  }
  std::ranges::sort(bound.targets);
  bound.binding = std::move(binding);
  return bound;
}

}  // namespace

std::vector<Bound> bind_trees(std::span<const Selector> selectors, const AudioSeen& seen,
                              const PinnedProcesses& pinned) {
  std::vector<Binding> bindings = bind_sources(selectors, identities(seen), seen.processes, pinned);
  std::vector<Bound> bounds;
  for (std::size_t i = 0; i < selectors.size(); ++i)
    bounds.push_back(trees_of(selectors[i], std::move(bindings[i]), seen));
  return bounds;
}

std::vector<const AudioSession*> sessions_of(const AudioSeen& seen, const Bound& bound) {
  std::vector<const AudioSession*> found;
  for (const AudioSession& session : seen.sessions) {
    if (bound.pids.contains(session.pid)) found.push_back(&session);
  }
  return found;
}

}  // namespace pypac
