// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>

#include "engine/plan.hpp"

namespace pypac {

/// [pump] Measures loudness and true peak of the block that each track has made, all tracks side by
/// side.
void meter_tracks(std::span<const Plan::Track> tracks, std::uint32_t frames) noexcept;

}  // namespace pypac
