// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "capture/binding.hpp"
#include "capture/channel_weights.hpp"
#include "capture/pipewire/capture_links.hpp"
#include "capture/pipewire/capture_node.hpp"
#include "capture/pipewire/frozen_programs.hpp"
#include "capture/pipewire/graph_view.hpp"
#include "capture/pipewire/pipewire_source.hpp"
#include "capture/selector.hpp"
#include "core/time.hpp"

namespace pypac {

/// A source's nodes in the graph: one for what each device drives. A node that were linked to the
/// programs of two devices would have PipeWire drive both with one clock: each change of that is a
/// click on both.
///
/// On the loop's thread, or under its lock. When it is destroyed, its nodes go, and no packet is
/// pushed any more.
class SourceLanes {
 public:
  SourceLanes(const NodeContext& context, const std::string& name, std::uint32_t channels,
              std::shared_ptr<PipewireSource> source);
  SourceLanes(SourceLanes&&) noexcept = default;
  SourceLanes& operator=(SourceLanes&&) noexcept = default;

  void make_nodes(pw_core* core);
  /// Makes nodes again that were lost. True: there were some.
  bool remake_lost(pw_core* core);
  /// The connection ends.
  void disconnect();

  /// Adds the links by which the source takes what it is bound to, but what is set aside. False:
  /// ports of ours are not in the graph yet.
  [[nodiscard]] bool want_links(const Selector& selector, const Binding& binding,
                                const GraphView& graph, const FrozenPrograms& frozen, pw_core* core,
                                std::set<LinkKey>& wanted);

  /// The first that was refused, or destroyed by somebody else; nullptr: none.
  [[nodiscard]] const CaptureNode* lost_node() const;
  /// When frames came last, of any; 0: never.
  [[nodiscard]] HostTime delivered_at() const;
  /// One has been called, but not since then.
  [[nodiscard]] bool stalled_since(HostTime oldest) const;

 private:
  struct Lane {
    std::uint32_t device = 0;  // by its node; 0: none yet
    // Before the node, whose cycles use it.
    std::shared_ptr<SourceSlot> slot;
    std::unique_ptr<CaptureNode> node;
  };

  bool add_lane(std::uint32_t device);
  /// Gives each device that the source is played to a lane.
  void assign(const Binding& binding, const GraphView& graph, pw_core* core);
  [[nodiscard]] Lane& lane_of(const GraphView& graph, const NodeRecord& node);
  [[nodiscard]] static SourcePort* port_for(Lane& lane, const ChannelWeights& weights,
                                            std::string_view position);
  [[nodiscard]] ChannelWeights weights_of(const PortRecord& port, std::size_t index,
                                          const std::vector<std::uint32_t>& taken) const;

  const NodeContext* context_;
  std::string node_name_;
  std::uint32_t channels_;
  std::shared_ptr<PipewireSource> source_;
  std::vector<Lane> lanes_;  // one at least
};

}  // namespace pypac
