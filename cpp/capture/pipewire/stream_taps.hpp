// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "capture/pipewire/graph_view.hpp"
#include "capture/selector.hpp"

namespace pypac {

// All on the loop's thread, or under its lock.

/// The ports that frames of a node come from, in order.
[[nodiscard]] std::vector<const PortRecord*> taps_of(const GraphView& graph,
                                                     const NodeRecord& node);

/// Which inputs of a device a source takes. See taken_inputs().
[[nodiscard]] std::vector<std::uint32_t> taken_of(const Selector& selector,
                                                  const std::vector<const PortRecord*>& taps);

/// The device that drives what a stream or an input gives; 0: none.
[[nodiscard]] std::uint32_t device_of(const GraphView& graph, const NodeRecord& node);

}  // namespace pypac
