// SPDX-License-Identifier: MIT
#include "capture/pipewire/source_lanes.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "capture/input_channels.hpp"
#include "capture/pipewire/stream_taps.hpp"

namespace pypac {

SourceLanes::SourceLanes(const NodeContext& context, const std::string& name,
                         std::uint32_t channels, std::shared_ptr<PipewireSource> source)
    : context_(&context),
      node_name_("pypac-obs." + name),
      channels_(channels),
      source_(std::move(source)) {
  add_lane(0);
}

bool SourceLanes::add_lane(std::uint32_t device) {
  std::shared_ptr<Tap> tap = source_->add_tap();
  if (!tap) return false;
  auto slot = std::make_shared<SourceSlot>(std::move(tap));
  auto node = std::make_unique<CaptureNode>(*context_, node_name_, slot.get());
  lanes_.push_back({device, std::move(slot), std::move(node)});
  return true;
}

void SourceLanes::make_nodes(pw_core* core) {
  for (const Lane& lane : lanes_) lane.node->make(core);
}

bool SourceLanes::remake_lost(pw_core* core) {
  bool any = false;
  for (Lane& lane : lanes_) {
    if (!lane.node->to_be_remade()) continue;
    any = true;
    lane.node->destroy();
    for (SourcePort& port : lane.slot->ports) port.handle.store(nullptr);
    lane.node->make(core);
  }
  return any;
}

void SourceLanes::disconnect() {
  for (Lane& lane : lanes_) {
    lane.node->destroy();
    lane.device = 0;  // its number is another one's now
    for (SourcePort& port : lane.slot->ports) port.handle.store(nullptr);
  }
}

void SourceLanes::assign(const Binding& binding, const GraphView& graph, pw_core* core) {
  std::set<std::uint32_t> missing;
  for (const std::uint64_t serial : binding.serials) {
    if (const NodeRecord* const node = graph.node_by_serial(serial))
      missing.insert(device_of(graph, *node));
  }
  std::vector<Lane*> idle;
  for (Lane& lane : lanes_) {
    if (missing.erase(lane.device) == 0) idle.push_back(&lane);
  }
  for (const std::uint32_t device : missing) {
    if (!idle.empty()) {
      idle.back()->device = device;
      idle.pop_back();
    } else if (add_lane(device)) {
      lanes_.back().node->make(core);
    } else {
      return;  // the first one takes the rest
    }
  }
}

SourceLanes::Lane& SourceLanes::lane_of(const GraphView& graph, const NodeRecord& node) {
  const auto lane = std::ranges::find(lanes_, device_of(graph, node), &Lane::device);
  return lane == lanes_.end() ? lanes_.front() : *lane;
}

bool SourceLanes::want_links(const Selector& selector, const Binding& binding,
                             const GraphView& graph, const FrozenPrograms& frozen, pw_core* core,
                             std::set<LinkKey>& wanted) {
  bool complete = true;
  assign(binding, graph, core);
  for (const std::uint64_t serial : binding.serials) {
    const NodeRecord* const node = graph.node_by_serial(serial);
    if (!node || frozen.is_set_aside(serial)) continue;
    const std::vector<const PortRecord*> taps = taps_of(graph, *node);
    const std::vector<std::uint32_t> taken = taken_of(selector, taps);
    Lane& lane = lane_of(graph, *node);
    for (std::size_t i = 0; i < taps.size(); ++i) {
      const PortRecord& port = *taps[i];
      const ChannelWeights weights = weights_of(port, i, taken);
      if (std::ranges::all_of(weights, [](float weight) { return weight == 0.0F; })) continue;
      const SourcePort* const input = port_for(lane, weights, port.position);
      if (!input) continue;
      const std::uint32_t input_id = lane.node->port_id(graph, input->name);
      if (input_id == PW_ID_ANY) {
        complete = false;  // its registry event leads here again
      } else {
        wanted.emplace(port.id, input_id);
      }
    }
  }
  return complete;
}

ChannelWeights SourceLanes::weights_of(const PortRecord& port, std::size_t index,
                                       const std::vector<std::uint32_t>& taken) const {
  if (taken.empty()) return channel_weights(port.position, channels_);
  ChannelWeights weights{};
  for (std::size_t place = 0; place < taken.size(); ++place) {
    if (taken[place] != index + 1) continue;
    const ChannelWeights here = input_weights(place, taken.size(), channels_);
    std::ranges::transform(weights, here, weights.begin(), std::plus<>());
  }
  return weights;
}

SourcePort* SourceLanes::port_for(Lane& lane, const ChannelWeights& weights,
                                  std::string_view position) {
  SourceSlot& slot = *lane.slot;
  const std::uint32_t count = slot.port_count.load(std::memory_order_relaxed);
  std::uint32_t at = 0;
  while (at < count && slot.ports[at].weights != weights) ++at;
  if (at == kMaxPortsOfSource) return nullptr;
  SourcePort& port = slot.ports[at];
  if (at == count) {
    port.weights = weights;
    port.name = "input_" + std::string(position);
  }
  if (!port.handle.load()) {
    port.handle.store(lane.node->add_port(port.name, position), std::memory_order_release);
  }
  if (at == count) slot.port_count.store(count + 1, std::memory_order_release);
  return &port;
}

const CaptureNode* SourceLanes::lost_node() const {
  const auto lane = std::ranges::find_if(lanes_, [](const Lane& one) { return one.node->lost(); });
  return lane == lanes_.end() ? nullptr : lane->node.get();
}

HostTime SourceLanes::delivered_at() const {
  HostTime newest{};
  for (const Lane& lane : lanes_) {
    newest =
        std::max(newest, HostTime(lane.slot->last_delivery_ns.load(std::memory_order_relaxed)));
  }
  return newest;
}

bool SourceLanes::stalled_since(HostTime oldest) const {
  return std::ranges::any_of(lanes_, [&](const Lane& lane) {
    const std::int64_t last = lane.slot->last_cycle_ns.load(std::memory_order_acquire);
    return last != 0 && HostTime(last) < oldest;
  });
}

}  // namespace pypac
