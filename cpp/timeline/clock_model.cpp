// SPDX-License-Identifier: MIT
#include "timeline/clock_model.hpp"

#include <algorithm>
#include <cmath>

namespace pypac {
namespace {

constexpr double kShortestWindow = 20;  // s: follows a crystal that warms up
constexpr double kLongestWindow = 90;   // s: 1 ms of scatter still averages out to under a frame
// The window is made just long enough for this error at its newest end: a quarter of a frame.
constexpr double kWantedError = 0.25 / 48000;

constexpr double kGate = 2e-3;  // s
constexpr double kGateScatters = 6;
constexpr double kFirstGate = 10e-3;  // s, while so few readings are known that the line may be off
constexpr std::uint64_t kFirstReadings = 8;

constexpr std::uint32_t kStepReadings = 8;
constexpr double kStepDuration = 0.2;  // s

// What is believed of the scatter before it is measured.
constexpr double kScatterPrior = 1e-4;
constexpr double kScatterPriorReadings = 8;
constexpr double kScatterFloor = 2e-7;  // s: stamps come in whole 100 ns at the coarsest system
constexpr double kScatterWindow = 10;   // s

// After a break a crystal has kept its rate, but for what it warmed up or cooled down meanwhile.
constexpr double kKeptSlopeError = 2e-6;

constexpr double kBiasWindow = 1;  // s
constexpr double kBiasErrors = 5;
constexpr double kForget = 0.7;

}  // namespace

void ClockModel::reset(std::uint32_t nominal_rate) noexcept {
  *this = ClockModel{};
  rate_ = nominal_rate;
}

void ClockModel::restart(std::int64_t device_time, HostTime host_time) noexcept {
  const ClockModel old = *this;
  reset(old.rate_);
  if (old.used_ == 0) {
    add(device_time, host_time);
    return;
  }
  expected_slope_ = old.slope_;
  expected_slope_error_ = std::clamp(old.slope_error_, kKeptSlopeError, old.expected_slope_error_);
  variance_ = old.variance_;
  interval_ = old.interval_;
  begin(device_time, host_time);
}

void ClockModel::begin(std::int64_t device_time, HostTime host_time) noexcept {
  device_reference_ = device_time;
  host_reference_ = host_time;
  weight_ = weight2_ = 1;
  used_ = 1;
  fit();
}

double ClockModel::scatter() const noexcept {
  return std::sqrt(variance_);
}

double ClockModel::seconds_at(std::int64_t device_time, HostTime since) const noexcept {
  const double time = static_cast<double>(device_time - device_reference_) / rate_;
  return static_cast<double>((host_reference_ - since).count()) * 1e-9 + time + level_ +
         slope_ * (time - newest_);
}

double ClockModel::deviation(std::int64_t device_time, HostTime host_time) const noexcept {
  return -seconds_at(device_time, host_time);
}

ClockModel::Verdict ClockModel::add(std::int64_t device_time, HostTime host_time) noexcept {
  if (used_ == 0) {
    variance_ = kScatterPrior * kScatterPrior;
    begin(device_time, host_time);
    return Verdict::used;
  }
  const double time = static_cast<double>(device_time - device_reference_) / rate_;
  const double elapsed = time - newest_;
  const double residual = deviation(device_time, host_time);

  double gate = std::max(kGate, kGateScatters * scatter());
  if (used_ < kFirstReadings) gate = std::max(gate, kFirstGate);
  if (!(std::abs(residual) <= gate)) return consider_step(time, residual);
  strays_ = 0;

  // How far off the line a single reading lies says how much readings scatter.
  const double readings = static_cast<double>(used_);
  interval_ += (elapsed - interval_) / std::min(readings, 100.0);
  const double scatter_readings =
      std::max(kScatterPriorReadings, kScatterWindow / std::max(interval_, 1e-4));
  variance_ += (residual * residual / (1 + position_factor_) - variance_) /
               std::min(readings + kScatterPriorReadings, scatter_readings);
  variance_ = std::max(variance_, kScatterFloor * kScatterFloor);

  const double window = std::clamp(interval_ * 1.25 * variance_ / (kWantedError * kWantedError),
                                   kShortestWindow, kLongestWindow);
  double keep = std::exp(-elapsed / window);

  const double bias_share = std::min(1.0, elapsed / kBiasWindow);
  bias_ += bias_share * (residual - bias_);
  const double bias_error =
      std::sqrt(variance_ * bias_share / 2 + position_error_ * position_error_) + kScatterFloor;
  if (readings > kFirstReadings && std::abs(bias_) > kBiasErrors * bias_error) keep *= kForget;

  // Move the sums' centre to the newest reading.
  const double excess = residual + slope_ * elapsed;  // over level_
  xx_ += elapsed * (elapsed * weight_ - 2 * x_);
  xx2_ += elapsed * (elapsed * weight2_ - 2 * x2_);
  xy_ -= elapsed * y_;
  x_ -= elapsed * weight_;
  x2_ -= elapsed * weight2_;
  newest_ = time;

  weight_ = weight_ * keep + 1;
  x_ *= keep;
  xx_ *= keep;
  y_ = y_ * keep + excess;
  xy_ *= keep;
  weight2_ = weight2_ * keep * keep + 1;
  x2_ *= keep * keep;
  xx2_ *= keep * keep;
  ++used_;
  fit();
  return Verdict::used;
}

void ClockModel::fit() noexcept {
  // The prior on the slope makes the first seconds steady; it counts for nothing later.
  const double prior = variance_ / (expected_slope_error_ * expected_slope_error_);
  const double a = weight_;
  const double b = x_;
  const double c = xx_ + prior;
  const double right = xy_ + prior * expected_slope_;
  const double determinant = a * c - b * b;
  const double level = (c * y_ - b * right) / determinant;
  slope_ = (a * right - b * y_) / determinant;

  level_ += level;
  y_ -= level * weight_;
  xy_ -= level * x_;

  // Covariance of the estimate: A^-1 B A^-1, with the squared weights in B.
  const double p0 = c / determinant;
  const double p1 = -b / determinant;
  const double q1 = a / determinant;
  const double b22 = xx2_ + prior;
  position_factor_ = p0 * (weight2_ * p0 + x2_ * p1) + p1 * (x2_ * p0 + b22 * p1);
  const double slope_factor = p1 * (weight2_ * p1 + x2_ * q1) + q1 * (x2_ * p1 + b22 * q1);
  position_error_ = std::sqrt(std::max(0.0, variance_ * position_factor_));
  slope_error_ = std::sqrt(std::max(0.0, variance_ * slope_factor));
}

ClockModel::Verdict ClockModel::consider_step(double time, double residual) noexcept {
  const double tolerance = std::max(kGate / 2, 4 * scatter());
  if (strays_ == 0 || std::abs(residual - stray_mean_) > tolerance) {
    strays_ = 1;
    stray_since_ = time;
    stray_mean_ = residual;
    return Verdict::ignored;
  }
  ++strays_;
  stray_mean_ += (residual - stray_mean_) / strays_;
  if (strays_ < kStepReadings || time - stray_since_ < kStepDuration) return Verdict::ignored;
  level_ += stray_mean_;
  strays_ = 0;
  bias_ = 0;
  return Verdict::stepped;
}

}  // namespace pypac
