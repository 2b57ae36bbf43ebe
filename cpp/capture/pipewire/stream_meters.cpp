// SPDX-License-Identifier: MIT
#include "capture/pipewire/stream_meters.hpp"

#include <algorithm>

#include "capture/pipewire/stream_taps.hpp"

namespace pypac {

StreamMeters::StreamMeters(const NodeContext& context) : context_(context) {
  add_lane(0);
}

void StreamMeters::add_lane(std::uint32_t device) {
  const auto number = static_cast<std::uint32_t>(lanes_.size());
  lanes_.push_back({device, std::make_unique<CaptureNode>(context_, "pypac-obs", nullptr, number)});
}

void StreamMeters::make_nodes(pw_core* core) {
  for (const Lane& lane : lanes_) lane.node->make(core);
}

void StreamMeters::make_first_node(pw_core* core) {
  CaptureNode& first = *lanes_.front().node;
  if (!first.made() && !first.lost()) first.make(core);
}

bool StreamMeters::remake_lost(pw_core* core) {
  bool any = false;
  for (std::uint32_t number = 0; number < lanes_.size(); ++number) {
    CaptureNode& node = *lanes_[number].node;
    if (!node.to_be_remade()) continue;
    any = true;
    node.destroy();
    for (std::size_t i = 0; i < uses_.size(); ++i) {
      if (uses_[i].lane == number) context_.slots.meter(i).handle.store(nullptr);
    }
    node.make(core);
  }
  return any;
}

void StreamMeters::disconnect() {
  uses_.clear();
  context_.slots.set_meter_count(0);
  for (Lane& lane : lanes_) {
    lane.node->destroy();
    lane.device = 0;  // its number is another one's now
  }
  for (std::size_t i = 0; i < kMaxMeterPorts; ++i) context_.slots.meter(i).handle.store(nullptr);
}

void StreamMeters::want_links(const GraphView& graph, const FrozenPrograms& frozen, pw_core* core,
                              std::set<LinkKey>& wanted) {
  // Ports are handed on when their program has gone, never removed: no work for the data thread.
  for (Use& use : uses_) {
    const auto port = graph.ports().find(use.output_port);
    if (use.serial != 0 && (!graph.node_by_serial(use.serial) || port == graph.ports().end())) {
      use = {};
    }
  }
  for (const auto& [port_id, port] : graph.ports()) {
    const NodeRecord* const node = graph.node(port.node_id);
    if (!node || !node->identity || frozen.is_set_aside(node->serial)) continue;
    if (!GraphView::is_tap(*node, port)) continue;
    // Not inputs: a link would switch the user's microphone on.
    if (node->identity->kind != StreamKind::playback &&
        node->identity->kind != StreamKind::re_emitter) {
      continue;
    }
    const std::uint32_t lane = lane_for(graph, *node, core);
    const Use* const use = use_for(*node, port_id, lane);
    if (!use) continue;
    const auto index = static_cast<std::size_t>(use - uses_.data());
    const std::string name = "meter_" + std::to_string(index);
    const CaptureNode& own = *lanes_[lane].node;
    MeterPort& meter = context_.slots.meter(index);
    if (!meter.handle.load()) {
      meter.node.store(lane);
      meter.handle.store(own.add_port(name, "MONO"), std::memory_order_release);
      context_.slots.set_meter_count(uses_.size());
    }
    const std::uint32_t input_id = own.port_id(graph, name);
    if (input_id != PW_ID_ANY) wanted.emplace(port_id, input_id);
  }
}

StreamMeters::Use* StreamMeters::use_for(const NodeRecord& node, std::uint32_t port,
                                         std::uint32_t lane) {
  auto use = std::ranges::find_if(
      uses_, [&](const Use& one) { return one.serial == node.serial && one.output_port == port; });
  if (use != uses_.end() && use->lane != lane) {
    *use = Use{.lane = use->lane};  // it plays to another device now
    use = uses_.end();
  }
  if (use == uses_.end()) {
    use = std::ranges::find_if(uses_,
                               [&](const Use& one) { return one.serial == 0 && one.lane == lane; });
  }
  if (use == uses_.end()) {
    if (uses_.size() == kMaxMeterPorts) return nullptr;
    uses_.emplace_back();
    use = uses_.end() - 1;
  }
  *use = Use{node.serial, port, lane};
  return &*use;
}

std::uint32_t StreamMeters::lane_for(const GraphView& graph, const NodeRecord& node,
                                     pw_core* core) {
  const std::uint32_t device = device_of(graph, node);
  auto lane = std::ranges::find(lanes_, device, &Lane::device);
  if (lane == lanes_.end()) lane = std::ranges::find(lanes_, std::uint32_t{0}, &Lane::device);
  if (lane == lanes_.end()) {
    add_lane(device);
    lanes_.back().node->make(core);
    return static_cast<std::uint32_t>(lanes_.size() - 1);
  }
  lane->device = device;
  return static_cast<std::uint32_t>(lane - lanes_.begin());
}

std::optional<double> StreamMeters::take_peak(std::uint64_t serial) {
  std::optional<double> highest;
  for (std::size_t i = 0; i < uses_.size(); ++i) {
    if (uses_[i].serial != serial) continue;
    MeterPort& meter = context_.slots.meter(i);
    if (!meter.heard.exchange(false)) continue;
    const double peak = meter.peak.exchange(0);
    highest = std::max(highest.value_or(0), peak);
  }
  return highest;
}

}  // namespace pypac
