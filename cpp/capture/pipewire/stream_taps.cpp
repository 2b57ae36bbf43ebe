// SPDX-License-Identifier: MIT
#include "capture/pipewire/stream_taps.hpp"

#include <algorithm>
#include <string>

#include "capture/input_channels.hpp"

namespace pypac {

std::vector<const PortRecord*> taps_of(const GraphView& graph, const NodeRecord& node) {
  std::vector<const PortRecord*> taps;
  for (const auto& [id, port] : graph.ports()) {
    if (GraphView::is_tap(node, port)) taps.push_back(&port);
  }
  std::ranges::stable_sort(taps, {}, &PortRecord::index);
  return taps;
}

std::vector<std::uint32_t> taken_of(const Selector& selector,
                                    const std::vector<const PortRecord*>& taps) {
  if (selector.kind != SelectorKind::device) return {};
  std::vector<std::string> positions;
  positions.reserve(taps.size());
  for (const PortRecord* const tap : taps) positions.push_back(tap->position);
  return taken_inputs(selector.channels, positions);
}

std::uint32_t device_of(const GraphView& graph, const NodeRecord& node) {
  if (node.is_input()) return node.id;
  const std::vector<std::uint32_t> sinks = graph.sinks_of(node.id);
  if (!sinks.empty()) return sinks.front();
  // It will most likely play to the default one.
  for (const auto& [id, other] : graph.nodes()) {
    if (other->property("node.name") == graph.default_sink()) return id;
  }
  return 0;
}

}  // namespace pypac
