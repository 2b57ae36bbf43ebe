// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "capture/pipewire/capture_links.hpp"
#include "capture/pipewire/capture_node.hpp"
#include "capture/pipewire/frozen_programs.hpp"
#include "capture/pipewire/graph_view.hpp"

namespace pypac {

/// Measures the peak of every stream, by nodes of ours: one for each device, as SourceLanes has it.
///
/// On the loop's thread, or under its lock.
class StreamMeters {
 public:
  explicit StreamMeters(const NodeContext& context);
  StreamMeters(const StreamMeters&) = delete;
  StreamMeters& operator=(const StreamMeters&) = delete;

  void make_nodes(pw_core* core);
  /// At least one, which shows the graph's clock also where nothing is captured.
  void make_first_node(pw_core* core);
  /// Makes nodes again that were lost. True: there were some.
  bool remake_lost(pw_core* core);
  /// The connection ends.
  void disconnect();

  /// Adds the links by which all streams are measured, but those that are set aside.
  void want_links(const GraphView& graph, const FrozenPrograms& frozen, pw_core* core,
                  std::set<LinkKey>& wanted);

  /// The peak of a stream since the last call, linear; none: nothing was measured.
  [[nodiscard]] std::optional<double> take_peak(std::uint64_t serial);

 private:
  struct Lane {
    std::uint32_t device = 0;  // by its node; 0: none yet
    std::unique_ptr<CaptureNode> node;
  };
  /// Which meter port measures which port of a program.
  struct Use {
    std::uint64_t serial = 0;  // 0: free
    std::uint32_t output_port = 0;
    std::uint32_t lane = 0;  // whose port it is
  };

  [[nodiscard]] std::uint32_t lane_for(const GraphView& graph, const NodeRecord& node,
                                       pw_core* core);
  /// nullptr: there are as many as can be.
  [[nodiscard]] Use* use_for(const NodeRecord& node, std::uint32_t port, std::uint32_t lane);
  void add_lane(std::uint32_t device);

  const NodeContext& context_;
  std::vector<Lane> lanes_;  // one at least
  std::vector<Use> uses_;
};

}  // namespace pypac
