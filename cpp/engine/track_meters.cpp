// SPDX-License-Identifier: MIT
#include "engine/track_meters.hpp"

#include <array>
#include <cstddef>

#include "core/thread_role.hpp"

namespace pypac {

void meter_tracks(std::span<const Plan::Track> tracks, std::uint32_t frames) noexcept {
  PYPAC_ASSERT_PUMP();
  std::array<LoudnessMeter::Input, LoudnessMeter::kMostLanes> inputs;
  std::size_t count = 0;
  std::size_t lanes = 0;
  for (const Plan::Track& track : tracks) {
    TrackNode& node = *track.node;
    if (lanes + node.channels() > LoudnessMeter::kMostLanes) {
      LoudnessMeter::process(std::span(inputs).first(count), frames);
      count = lanes = 0;
    }
    inputs[count++] = {&node.loudness(), node.block()};
    lanes += node.channels();
  }
  LoudnessMeter::process(std::span(inputs).first(count), frames);
}

}  // namespace pypac
