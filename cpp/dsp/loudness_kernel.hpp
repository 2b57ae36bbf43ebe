// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "dsp/loudness_lane.hpp"

namespace pypac {

// Reads `frames` samples of each lane, and adds up the squares of what the filters make of them.
// Each lane gives the same bits, whatever is beside it.
namespace narrow {
void weigh(const KWeighting& weighting, LoudnessLane* const* lanes, std::size_t count,
           std::uint32_t frames) noexcept;
}
namespace wide {
void weigh(const KWeighting& weighting, LoudnessLane* const* lanes, std::size_t count,
           std::uint32_t frames) noexcept;
}

}  // namespace pypac
