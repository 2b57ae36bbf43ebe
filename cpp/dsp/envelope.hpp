// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "dsp/envelope_kernel.hpp"

namespace pypac {

/// [any-thread, realtime-safe] The kernels for the processor that this runs on.
[[nodiscard]] const EnvelopeKernels& chosen_envelope_kernels() noexcept;

/// [any-thread, realtime-safe] Decibels as logarithms to base 2, as curves and gains have them.
[[nodiscard]] float log2_from_db(double db) noexcept;
[[nodiscard]] double db_from_log2(double log2) noexcept;

/// [any-thread, realtime-safe] exp(-1 / (rate * time)): after that time a follower has gone 63 % of
/// its way. A follower of
/// levels with 1 s at 48 kHz stands still 0.01 dB before it is there, because of float32.
[[nodiscard]] float follower_coefficient(double ms, std::uint32_t sample_rate) noexcept;

/// [any-thread, realtime-safe] A follower's for squares, with a half-life of 10 ms.
[[nodiscard]] float mean_coefficient(std::uint32_t sample_rate) noexcept;

/// [any-thread, realtime-safe] The knee's members.
void set_knee(LevelCurve& curve, double knee_db) noexcept;

/// [any-thread, realtime-safe] The gain of a curve, both in dB: for what is computed once.
[[nodiscard]] double curve_db(const LevelCurve& curve, double level_db) noexcept;

}  // namespace pypac
