// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "timeline/packet.hpp"

namespace pypac {

/// Tells whether the frames that a node finds belong to the cycle that the graph's clock shows.
///
/// A node that is called late sees the clock of the next cycle and may find the frames of the one
/// before. It can go on so, one cycle behind, for as long as each call waits past the start of the
/// next cycle; nothing in a call tells. But:
/// - A call for each cycle, without a break, stays as right as it was: frames are found only once,
///   and never those of a cycle that has not begun.
/// - Each cycle that it stays behind takes a wait of about a cycle again, so it catches up soon.
class CallOrder {
 public:
  /// With three busy programs for two cores and a quantum of 64, no node was seen to stay behind
  /// for more than 5.4 ms.
  static constexpr std::chrono::milliseconds kCatchesUpWithin{10};

  /// [capture-thread] Whether the frames of this call, made when the clock showed `cycle`, are
  /// certain to be of that cycle. To be asked at each call of the node.
  [[nodiscard]] bool in_step(const ClockReading& cycle) noexcept {
    const bool same_clock =
        last_.frames > 0 && last_.clock_id == cycle.clock_id && last_.rate == cycle.rate;
    const bool again = same_clock && cycle.position == last_.position;
    const bool follows = same_clock && cycle.position == last_.position + last_.frames;
    if (!again && !follows) {
      const std::int64_t catches_up = std::int64_t{cycle.rate} * kCatchesUpWithin.count() / 1000;
      certain_from_ = cycle.position + std::max<std::int64_t>(cycle.frames, catches_up);
    }
    last_ = cycle;
    return cycle.position >= certain_from_;
  }

 private:
  ClockReading last_{.frames = 0};
  std::int64_t certain_from_ = 0;
};

}  // namespace pypac
