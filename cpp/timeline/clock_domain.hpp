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
/// Measured in the sound (10 ms packets, skews of 0, 20, 200, 500 ppm either way; jitter is the
/// stamps' RMS): without jitter settled within a frame after 2 s, then exact to 0.01 frame; with
/// 0.2 ms after 9 s, then 0.3 frame RMS; with 1 ms 0.6 frame RMS after 75 s (single seconds
/// reach 1.3). A jump of 120 ppm is settled 3 s later without jitter, 17 s with 0.2 ms. A clock
/// without skew is locked from its first frame where its stamps are clean; where they jitter it is
/// brought to its place first (the first stamp is off by its own jitter), and locks 28 s (0.1 ms)
/// to 97 s (0.3 ms) after its start and then for good. Above 0.5 ms it may stay tracked.
///
/// Implausible stamps are not followed: single ones that are off by any amount, readings declared
/// wrong, host times seconds away from ClockReading::received. Host time that steps by more than 2
/// ms and stays for 8 readings and 200 ms begins a new epoch (clock_stepped); a pause of more than
/// 0.1 s is believed at the second reading, and the first one's packet is then claimed by it.
///
/// A change of the packets' length (PipeWire's quantum) makes timer-driven clocks slip: the cycle
/// with the new length still gets the old one's time, so host time is off by the difference from
/// then on, though not a frame is missing. Such slips are taken up to 45 ms in sum, without a cut:
/// the curve stays continuous and bit-exact, and the sound is off the host's time by so much. They
/// go back when the length does. A slip that delays frames by more than allow_delay() is a step.
///
/// Example, 48 kHz clock, origin at host time 0: the reading {position 1000, host_time 1 s} gets
/// timeline 48000, step 1; the next {position 2024} gets 49024, whatever the jitter of its
/// host_time.
class ClockDomain {
 public:
  /// [control-thread]
  explicit ClockDomain(std::uint32_t timeline_rate);

  /// [control-thread] Fixes frame 0. Until then stamp() returns false: nothing is recorded yet.
  void set_origin(HostTime origin) noexcept;

  /// [control-thread] Before the first stamp(): by how much a slip may delay frames, at most. What
  /// the pump waits for late packets has to cover it.
  void allow_delay(std::chrono::nanoseconds delay) noexcept {
    longest_delay_ = std::chrono::duration<double>(delay).count();
  }

  /// [capture-thread] One call for each graph cycle or packet of this clock, in order. Returns
  /// false where there is no timeline yet.
  [[nodiscard]] bool stamp(const ClockReading& reading, Stamp& stamp) noexcept;

  /// [any-thread, realtime-safe] The clock's measured rate against host time: +20 is 20 frames in
  /// a million too many. 0 until it is known.
  [[nodiscard]] double drift_ppm() const noexcept;

  /// [any-thread, realtime-safe] True while frames pass bit for bit.
  [[nodiscard]] bool locked() const noexcept { return locked_.load(std::memory_order_relaxed); }

 private:
  enum class Mode { locked, tracking, gliding };

  struct Shift {
    bool suspect = false;
    bool claims_previous = false;
    bool clamped = false;
  };

  [[nodiscard]] bool plausible(const ClockReading& reading) const noexcept;
  void begin_epoch(Cause cause) noexcept;
  void begin_curve(std::int64_t position, HostTime origin) noexcept;
  void advance_curve(std::int64_t position) noexcept;
  void steer(const ClockReading& reading, HostTime origin) noexcept;
  void publish() noexcept;
  void follow_slip(const ClockReading& reading, std::int64_t position) noexcept;
  [[nodiscard]] double target_at(std::int64_t position, HostTime origin) const noexcept;
  [[nodiscard]] bool confirm_jump(double deviation, std::uint32_t readings) noexcept;
  [[nodiscard]] double curve_at(std::int64_t position) const noexcept;

  const std::uint32_t timeline_rate_;
  std::atomic<std::int64_t> origin_ns_;  // control thread
  std::atomic<double> drift_ppm_{0};     // capture thread
  std::atomic<bool> locked_{false};      // capture thread

  // The rest is the capture thread's.
  ClockModel model_;
  bool started_ = false;
  std::uint64_t clock_id_ = 0;
  std::uint32_t rate_ = 0;
  bool has_position_ = true;
  std::int64_t last_position_ = 0;
  std::uint32_t last_frames_ = 0;
  std::uint32_t epoch_ = 0;
  Cause break_cause_{};

  // u(p) = curve_timeline_ + (p - curve_position_) * curve_step_
  bool on_curve_ = false;
  std::int64_t curve_position_ = 0;
  double curve_timeline_ = 0;
  double curve_step_ = 1;
  Mode mode_ = Mode::locked;
  Frames locked_offset_ = 0;   // u - p while gliding there and while locked
  double agreed_seconds_ = 0;  // for how long the rates have agreed while tracking
  double locked_seconds_ = 0;
  double wanted_agreement_ = 0;

  double longest_delay_ = 20e-3;  // s; control thread, before the first reading
  double slip_ = 0;               // s by which host time has slipped in this epoch
  double expected_slip_ = 0;      // s: the packets' length has changed just now
  std::uint32_t expected_slip_readings_ = 0;

  // Readings that say that frames are missing before them, until they are believed.
  std::uint32_t jump_readings_ = 0;
  double jump_seconds_ = 0;
};

}  // namespace pypac
