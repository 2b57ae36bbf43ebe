// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

namespace pypac {

/// Nanoseconds of the operating system's monotonic clock (CLOCK_MONOTONIC, QPC): the clock OBS
/// uses.
using HostTime = std::chrono::nanoseconds;

/// A count of frames (one sample per channel), or a place on the timeline: frames since the
/// session's start.
using Frames = std::int64_t;

/// The fixed point that ties the timeline to host time: frame 0 is heard at `origin`.
struct TimelineAnchor {
  HostTime origin{};
  std::uint32_t sample_rate = 48000;

  /// Example: origin 1 s, 48000 Hz: host time 1.5 s is at 24000.0.
  [[nodiscard]] double position_of(HostTime time) const noexcept {
    // The difference is exact in int64; only then does it become a double, which holds 2^53 ns
    // (104 days) without loss.
    return static_cast<double>((time - origin).count()) * 1e-9 * sample_rate;
  }

  [[nodiscard]] HostTime host_time_of(Frames position) const noexcept {
    const Frames whole_seconds = position / sample_rate;
    const Frames rest = position % sample_rate;
    return origin + std::chrono::seconds(whole_seconds) +
           HostTime(rest * 1'000'000'000 / static_cast<Frames>(sample_rate));
  }
};

/// [any-thread, realtime-safe] A count of ticks as time, rounded down, exact for centuries: the
/// whole seconds leave nothing to divide, and the rest times 10^9 fits. (ticks * (10^9 /
/// ticks_per_second) does not divide evenly, and ticks * 10^9 overflows after hours.)
[[nodiscard]] constexpr HostTime time_of_ticks(std::int64_t ticks,
                                               std::int64_t ticks_per_second) noexcept {
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  return HostTime(ticks / ticks_per_second * kNanoseconds +
                  ticks % ticks_per_second * kNanoseconds / ticks_per_second);
}

}  // namespace pypac
