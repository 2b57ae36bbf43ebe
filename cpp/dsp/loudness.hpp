// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>

#include "dsp/loudness_lane.hpp"

namespace pypac {

/// The filters of ITU-R BS.1770-5 at any sample rate: at 48 kHz those of its tables 1 and 2.
[[nodiscard]] KWeighting k_weighting(std::uint32_t sample_rate) noexcept;

/// How much a channel counts, by BS.1770-5: surrounds 1.41, the LFE channel nothing. The channels
/// are L R (C) (Ls Rs), with 6 and more L R C LFE, the rest as in WAVE files.
[[nodiscard]] double channel_weight(std::uint32_t channel, std::uint32_t channels) noexcept;

/// How long a step is in which energies are added up: 10 ms.
[[nodiscard]] std::uint32_t loudness_step_frames(std::uint32_t sample_rate) noexcept;

/// [any-thread, realtime-safe] LUFS of a mean square behind the filters; minus infinity for 0.
[[nodiscard]] double lufs_from_energy(double energy) noexcept;
[[nodiscard]] double energy_from_lufs(double lufs) noexcept;

/// [audio-thread] Reads so many samples of each lane, and adds up the squares of what the filters
/// make of them.
void weigh_lanes(const KWeighting& weighting, std::span<LoudnessLane* const> lanes,
                 std::uint32_t frames) noexcept;

/// [audio-thread] Takes the sum that has gathered, for the next to begin at 0. What is no number
/// counts as 0, and the filters forget what led to it.
[[nodiscard]] double take_sum(LoudnessLane& lane) noexcept;

}  // namespace pypac
