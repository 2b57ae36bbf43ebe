// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "core/time.hpp"
#include "timeline/clock_model.hpp"
#include "timeline/packet.hpp"

namespace pypac {

/// Brings one device clock to the timeline: turns the audio system's clock readings into stamps.
///
/// All sources that one clock drives share one domain, and so one curve from device time to
/// timeline: they cannot drift against each other. The curve is continuous within an epoch. While
/// the clock's measured rate equals the timeline's it has slope exactly 1 and whole-numbered
/// offsets (`locked`: frames pass bit for bit); otherwise its slope follows the clock model, slewed
/// so gently that no step is heard (`tracking`).
///
/// Example, 48 kHz clock, origin at host time 0: the reading {position 1000, host_time 1 s} gets
/// timeline 48000, step 1; the next {position 2024} gets 49024, whatever the jitter of its host_time.
class ClockDomain {
 public:
  /// [control-thread]
  explicit ClockDomain(std::uint32_t timeline_rate);

  /// [control-thread] Fixes frame 0. Until then stamp() returns false: nothing is recorded yet.
  void set_origin(HostTime origin) noexcept;

  /// [capture-thread] One call for each graph cycle or packet of this clock, in order. Returns false
  /// where there is no timeline yet.
  [[nodiscard]] bool stamp(const ClockReading& reading, Stamp& stamp) noexcept;

  /// [any-thread, realtime-safe] The clock's measured rate against host time: +20 is 20 frames in
  /// a million too many. 0 until it is known.
  [[nodiscard]] double drift_ppm() const noexcept;

  /// [any-thread, realtime-safe] True while frames pass bit for bit.
  [[nodiscard]] bool locked() const noexcept;
};

}  // namespace pypac
