// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "core/time.hpp"

namespace pypac {

/// Fits host time to device time: a straight line by least squares that forgets slowly.
///
/// The window grows from the first reading to a time constant of 20 s where stamps are clean, and
/// up to 90 s where they jitter, and shrinks where the clock's rate has visibly changed. Readings
/// far off the line are not used; where they persist and agree with each other, the host time has
/// stepped: the line is moved there and keeps its slope.
///
/// Example: 48 kHz, readings {0, 1.000 s}, {48000, 2.0001 s}, {96000, 3.0002 s}: the device is 100
/// ppm slow, and device time 144000 will be at 4.0003 s.
///
/// For one thread. Nothing allocates.
class ClockModel {
 public:
  enum class Verdict {
    used,     // on the line, which has learned from it
    ignored,  // off the line; it changed nothing
    stepped,  // the last of many that agree off the line: the line has moved there
  };

  /// Forgets everything; the next reading begins a new line at the nominal rate.
  void reset(std::uint32_t nominal_rate) noexcept;

  /// The same clock after a break: the next line begins with this reading and the rate known so
  /// far.
  void restart(std::int64_t device_time, HostTime host_time) noexcept;

  /// Device times must not decrease.
  Verdict add(std::int64_t device_time, HostTime host_time) noexcept;

  /// Moves the line: host time has slipped by that many seconds against device time.
  void shift(double seconds) noexcept { level_ += seconds; }

  [[nodiscard]] bool empty() const noexcept { return used_ == 0; }

  /// Host time at `device_time` by the line, in seconds after `since`.
  [[nodiscard]] double seconds_at(std::int64_t device_time, HostTime since) const noexcept;

  /// Seconds by which `host_time` is later than the line says.
  [[nodiscard]] double deviation(std::int64_t device_time, HostTime host_time) const noexcept;

  /// How much longer a device second is than a host second, less 1: +20e-6 is a slow clock.
  [[nodiscard]] double slope() const noexcept { return slope_; }

  /// Standard errors of the line at its newest end (s) and of its slope, from the scatter of the
  /// readings. They tell what of a deviation is real.
  [[nodiscard]] double position_error() const noexcept { return position_error_; }
  [[nodiscard]] double slope_error() const noexcept { return slope_error_; }

  /// Root mean square of the readings' scatter around the line, in s.
  [[nodiscard]] double scatter() const noexcept;

 private:
  void begin(std::int64_t device_time, HostTime host_time) noexcept;
  void fit() noexcept;
  Verdict consider_step(double time, double residual) noexcept;

  std::uint32_t rate_ = 48000;
  std::int64_t device_reference_ = 0;
  HostTime host_reference_{};
  std::uint64_t used_ = 0;

  // Excess: host seconds less device seconds since the references. The line is
  // excess = level_ + slope_ * (time - newest_), where time is device seconds.
  double newest_ = 0;
  double level_ = 0;
  double slope_ = 0;

  // Weighted sums around (newest_, level_) of 1, x, x^2, y, x*y; and the first three with the
  // squared weights.
  double weight_ = 0, x_ = 0, xx_ = 0, y_ = 0, xy_ = 0;
  double weight2_ = 0, x2_ = 0, xx2_ = 0;

  // What is believed of the slope before it is measured: crystals are within 300 ppm.
  double expected_slope_ = 0;
  double expected_slope_error_ = 300e-6;

  double variance_ = 0;  // of one reading, in s^2
  double interval_ = 0;  // mean device seconds between readings
  double bias_ = 0;      // short mean of the residuals: lasting ones mean that the rate has changed
  double position_factor_ = 1;
  double position_error_ = 0;
  double slope_error_ = 0;

  // Readings off the line that agree with each other.
  std::uint32_t strays_ = 0;
  double stray_since_ = 0;
  double stray_mean_ = 0;
};

}  // namespace pypac
