// SPDX-License-Identifier: MIT
#include "capture/pipewire/graph_status.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "capture/pipewire/stream_taps.hpp"
#include "core/decibels.hpp"

namespace pypac {
namespace {

const char* name_of(pw_node_state state) {
  switch (state) {
    case PW_NODE_STATE_RUNNING:
      return "running";
    case PW_NODE_STATE_IDLE:
      return "idle";
    case PW_NODE_STATE_SUSPENDED:
      return "suspended";
    case PW_NODE_STATE_ERROR:
      return "error";
    default:
      return "creating";
  }
}

/// The program's name, or else what the stream calls itself.
std::string shown_name(const StreamIdentity& identity) {
  std::string program = program_of(identity);
  if (!program.empty()) return program;
  return identity.application_name.empty() ? identity.node_name : identity.application_name;
}

bool is_audible(const NodeRecord& node) {
  return !node.muted && node.amplitude > 0;
}

/// Why nothing is heard of a stream; empty: it plays.
std::string silence_of(const NodeRecord& node, const FrozenPrograms& frozen) {
  if (frozen.is_frozen(node)) return state_reason(SourceState::frozen, {});
  if (!node.playing()) return state_reason(SourceState::paused, {});
  return is_audible(node) ? "" : state_reason(SourceState::muted, {});
}

LeftOut left_out(const GraphView& graph, std::uint64_t serial, std::string claim) {
  const NodeRecord* const node = graph.node_by_serial(serial);
  if (!node || !node->identity) return {0, {}, std::move(claim)};
  return {node->identity->pid, shown_name(*node->identity), std::move(claim)};
}

}  // namespace

std::string program_of(const StreamIdentity& identity) {
  return identity.lineage.empty() ? identity.binary : program_name(identity.lineage.front());
}

StreamView stream_view(const GraphView& graph, const FrozenPrograms& frozen,
                       const NodeRecord& node) {
  const StreamIdentity& identity = *node.identity;
  StreamView view;
  view.serial = node.serial;
  view.node_id = node.id;
  view.pid = identity.pid;
  view.program = program_of(identity);
  view.application_name = identity.application_name;
  view.portal_app_id = identity.portal_app_id;
  view.media_name = node.property("media.name");
  view.node_name = identity.node_name;
  view.description = identity.description;
  view.kind = name_of(identity.kind);
  view.state = name_of(node.state);
  view.playing = node.playing();
  view.muted = node.muted;
  if (!node.is_input()) view.silence = silence_of(node, frozen);
  // PulseAudio's and the desktops' sliders are the cube root of the amplitude.
  view.volume = std::cbrt(node.amplitude);
  view.volume_db = db_from_linear(node.amplitude);
  view.sample_rate = node.sample_rate;
  view.channels = node.channels;
  for (const std::uint32_t sink : graph.sinks_of(node.id)) {
    if (!view.sink.empty()) view.sink += ", ";
    view.sink += graph.node(sink)->property("node.name");
  }
  if (view.channels == 0) {
    view.channels = static_cast<std::uint32_t>(std::ranges::count_if(
        graph.ports(), [&](const auto& port) { return GraphView::is_tap(node, port.second); }));
  }
  view.peak_db = std::numeric_limits<double>::quiet_NaN();
  return view;
}

bool lacks_inputs(const GraphView& graph, const Selector& selector, const Binding& binding) {
  if (selector.channels.empty()) return false;
  std::size_t most = 0;
  for (const std::uint64_t serial : binding.serials) {
    const NodeRecord* const node = graph.node_by_serial(serial);
    if (node) most = std::max(most, taps_of(graph, *node).size());
  }
  return most > 0 && std::ranges::min(selector.channels) > most;
}

StateFacts told_facts(const GraphView& graph, const Selector& selector, const Binding& binding) {
  StateFacts facts;
  facts.presence = binding.presence;
  facts.has_stream = !lacks_inputs(graph, selector, binding);
  for (const std::uint64_t serial : binding.serials) {
    const NodeRecord* const node = graph.node_by_serial(serial);
    if (!node || !node->playing()) continue;
    facts.playing = true;
    facts.audible = facts.audible || is_audible(*node);
  }
  return facts;
}

ReasonFacts told_reason(const GraphView& graph, const Selector& selector, const Binding& binding,
                        SourceState state) {
  ReasonFacts facts;
  facts.device = selector.kind == SelectorKind::device;
  facts.program_runs = !binding.pids.empty();
  facts.lacks_inputs = lacks_inputs(graph, selector, binding);
  if (state != SourceState::no_stream && !facts.device) return facts;
  for (const auto& [id, node] : graph.nodes()) {
    if (!node->identity) continue;
    const StreamIdentity& identity = *node->identity;
    if (state == SourceState::no_stream && identity.kind == StreamKind::playback &&
        node->playing()) {
      facts.playing.push_back(shown_name(identity));
    }
    if (facts.device && identity.kind == StreamKind::input) {
      facts.inputs.push_back(identity.description.empty() ? identity.node_name
                                                          : identity.description);
    }
  }
  return facts;
}

SourceStatus binding_status(const GraphView& graph, const FrozenPrograms& frozen,
                            const Selector& selector, const Binding& binding) {
  SourceStatus status;
  status.pids = binding.pids;
  for (const std::uint64_t serial : binding.serials) {
    const NodeRecord* const node = graph.node_by_serial(serial);
    if (!node || !node->identity) continue;
    BoundStream stream;
    stream.serial = serial;
    stream.node_id = node->id;
    stream.pid = node->identity->pid;
    stream.program = node->is_input() ? node->identity->description : program_of(*node->identity);
    stream.application_name = node->identity->application_name;
    stream.state = name_of(node->state);
    stream.muted = node->muted;
    stream.frozen = frozen.is_frozen(*node);
    if (const auto tie = binding.ties.find(serial); tie != binding.ties.end()) {
      stream.claim = tie->second.claim;
      stream.ancestor = tie->second.ancestor;
    }
    if (node->is_input()) {
      const std::vector<const PortRecord*> taps = taps_of(graph, *node);
      stream.inputs = static_cast<std::uint32_t>(taps.size());
      stream.taken = taken_of(selector, taps);
    }
    status.streams.push_back(std::move(stream));
  }
  for (const auto& [serial, claim] : binding.left_out_by_claim)
    status.left_out.push_back(left_out(graph, serial, claim));
  for (const std::uint64_t serial : binding.unknown)
    status.left_out.push_back(left_out(graph, serial, {}));
  return status;
}

}  // namespace pypac
