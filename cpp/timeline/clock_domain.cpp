// SPDX-License-Identifier: MIT
#include "timeline/clock_domain.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pypac {
namespace {

constexpr std::int64_t kNoOrigin = std::numeric_limits<std::int64_t>::min();

// A host time this far from when the reading was handed over is nonsense (QPC of process loopback
// has been seen more than 0.5 s off and 8 h ahead).
constexpr auto kPlausible = std::chrono::seconds(2);

// Position and host time that disagree by more belong to different epochs. The largest known slip
// of a continuous clock, PipeWire's at a quantum change, is 16 ms.
constexpr double kAgreement = 20e-3;  // s

// Host time this far ahead of a contiguous position: a pause. Two readings confirm it.
constexpr double kPause = 0.1;  // s
// The same of a clock that counts nothing itself: missing frames. Three readings confirm it.
constexpr double kMissing = 10e-3;  // s
constexpr std::uint32_t kMissingReadings = 3;
// Where the system says itself that frames are missing, one reading tells how many.
constexpr double kDeclaredMissing = 1e-3;  // s
constexpr double kSameJump = 5e-3;         // s
constexpr double kSameShare = 0.1;         // a driver's first stamps after a long pause are rough

// A slip shows in the reading with the new length or the next ones.
constexpr std::uint32_t kSlipReadings = 3;
constexpr double kSmallestSlip = 0.5e-3;  // s: less is followed like drift
constexpr double kSlipTolerance = 0.25;   // of the slip
constexpr double kLargestSlip = 45e-3;    // s: sound that leads by more is seen (ITU-R BT.1359)

// Locked frames may be so far from where host time has them, plus what is only noise.
constexpr double kLockedError = 0.75;      // frames
constexpr double kNoiseErrors = 3.5;       // standard errors
constexpr double kLockableError = 0.5;     // frames: noisier clocks stay tracked
constexpr double kAgreedSlope = 0.1e-6;    // 0.1 ppm is 0.75 frame in two and a half minutes
constexpr double kShortestAgreement = 10;  // s; doubled each time it was too optimistic
constexpr double kLongestAgreement = 640;
constexpr double kGoodLock = 1800;  // s

constexpr double kCorrectionTime = 1;        // s
constexpr double kLargestCorrection = 1e-3;  // 1.7 cents: inaudible
constexpr double kGlide = 50e-6;
constexpr double kSnap = 1e-6;  // frames

}  // namespace

ClockDomain::ClockDomain(std::uint32_t timeline_rate)
    : timeline_rate_(timeline_rate), origin_ns_(kNoOrigin) {}

void ClockDomain::set_origin(HostTime origin) noexcept {
  origin_ns_.store(origin.count(), std::memory_order_release);
}

double ClockDomain::drift_ppm() const noexcept {
  return drift_ppm_.load(std::memory_order_relaxed);
}

bool ClockDomain::plausible(const ClockReading& reading) const noexcept {
  if (!reading.host_time_valid) return false;
  if (reading.received.count() == 0) return true;
  const HostTime distance = reading.host_time - reading.received;
  return distance < kPlausible && distance > -kPlausible;
}

double ClockDomain::curve_at(std::int64_t position) const noexcept {
  return curve_timeline_ + static_cast<double>(position - curve_position_) * curve_step_;
}

double ClockDomain::target_at(std::int64_t position, HostTime origin) const noexcept {
  return (model_.seconds_at(position, origin) - slip_) * timeline_rate_;
}

void ClockDomain::follow_slip(const ClockReading& reading, std::int64_t position) noexcept {
  if (reading.frames != last_frames_ && last_frames_ > 0) {
    const double change = static_cast<double>(last_frames_) - reading.frames;
    expected_slip_ = (expected_slip_readings_ > 0 ? expected_slip_ : 0) + change / rate_;
    expected_slip_readings_ = kSlipReadings;
  }
  if (expected_slip_readings_ == 0) return;
  --expected_slip_readings_;
  const double deviation = model_.deviation(position, reading.host_time);
  const bool slipped =
      std::abs(expected_slip_) > kSmallestSlip &&
      std::abs(deviation - expected_slip_) < kSlipTolerance * std::abs(expected_slip_);
  const double sum = slip_ + expected_slip_;
  if (!slipped || sum > longest_delay_ || std::abs(sum) > kLargestSlip) return;
  model_.shift(expected_slip_);
  slip_ = sum;
  expected_slip_readings_ = 0;
}

void ClockDomain::begin_epoch(Cause cause) noexcept {
  slip_ = 0;
  expected_slip_readings_ = 0;
  ++epoch_;
  break_cause_ = cause;
  on_curve_ = false;
  jump_readings_ = 0;
  wanted_agreement_ = kShortestAgreement;
}

void ClockDomain::begin_curve(std::int64_t position, HostTime origin) noexcept {
  const double target = target_at(position, origin);
  curve_position_ = position;
  agreed_seconds_ = 0;
  locked_seconds_ = 0;
  const bool drifts = std::abs(model_.slope()) > kAgreedSlope + kNoiseErrors * model_.slope_error();
  if (rate_ == timeline_rate_ && !drifts) {
    curve_timeline_ = std::round(target);
    curve_step_ = 1;
    mode_ = Mode::locked;
    locked_offset_ = static_cast<Frames>(curve_timeline_) - position;
  } else {
    curve_timeline_ = target;
    curve_step_ = static_cast<double>(timeline_rate_) / rate_;
    mode_ = Mode::tracking;
  }
  on_curve_ = true;
}

void ClockDomain::advance_curve(std::int64_t position) noexcept {
  // While locked the sum of whole numbers stays exact.
  curve_timeline_ = curve_at(position);
  curve_position_ = position;
}

bool ClockDomain::confirm_jump(double deviation, std::uint32_t readings) noexcept {
  const double tolerance = std::max(kSameJump, kSameShare * jump_seconds_);
  if (jump_readings_ == 0 || std::abs(deviation - jump_seconds_) > tolerance) {
    jump_readings_ = 1;
    jump_seconds_ = deviation;
    return false;
  }
  return ++jump_readings_ >= readings;
}

bool ClockDomain::stamp(const ClockReading& reading, Stamp& stamp) noexcept {
  const std::int64_t origin_ns = origin_ns_.load(std::memory_order_acquire);
  const HostTime origin(origin_ns);
  bool believed = plausible(reading);
  HostTime host_time = reading.host_time;

  const bool same_clock = started_ && reading.clock_id == clock_id_ && reading.rate == rate_ &&
                          reading.has_position == has_position_;
  const std::int64_t expected = last_position_ + last_frames_;
  std::int64_t position = reading.has_position ? reading.position : expected;
  Shift shift;
  shift.clamped = !believed;

  if (!same_clock) {
    if (!believed && reading.received.count() > 0 && reading.rate > 0) {
      // Better late by a little than nowhere: when it was handed over its last frame had been
      // heard.
      host_time = reading.received - HostTime(static_cast<std::int64_t>(reading.frames) *
                                              1'000'000'000 / reading.rate);
      believed = true;
    }
    if (!believed || reading.rate == 0) return false;
    clock_id_ = reading.clock_id;
    rate_ = reading.rate;
    has_position_ = reading.has_position;
    if (!has_position_) position = 0;
    started_ = true;
    model_.reset(rate_);
    model_.add(position, host_time);
    begin_epoch(reading.new_clock);
  } else if (position == last_position_ && last_frames_ > 0 && reading.has_position) {
    // The cycle that a late callback has read already: the same place on the curve.
  } else if (position < expected && position < last_position_) {
    if (believed && std::abs(model_.deviation(position, host_time)) > kAgreement) {
      model_.restart(position, host_time);
      begin_epoch(Cause::clock_changed);
    } else {
      // The same frames again: behind the newest knot, and nothing is learned.
      if (!on_curve_ || origin_ns == kNoOrigin) return false;
      stamp = Stamp{position, epoch_, curve_at(position), curve_step_,
                    false,    false,  shift.clamped,      break_cause_};
      return true;
    }
  } else {
    const std::int64_t jumped = position - expected;
    if (believed && jumped == 0) follow_slip(reading, position);
    const double deviation = believed ? model_.deviation(position, host_time) : 0;
    if (jumped > 0) {
      shift.suspect = jumped == reading.frames || jumped == last_frames_;
      if (!shift.suspect && std::abs(deviation) > kAgreement) {
        model_.restart(position, host_time);
        begin_epoch(Cause::clock_changed);
      } else if (believed) {
        model_.add(position, host_time);
      }
    } else if (reading.frames_missing && !has_position_ && deviation > kDeclaredMissing) {
      jump_readings_ = 0;
      position += std::llround(deviation * rate_);
      model_.add(position, host_time);
    } else if (deviation > kPause || (!has_position_ && deviation > kMissing)) {
      const bool at_once = deviation > kPause;
      if (!confirm_jump(deviation, at_once ? 2 : kMissingReadings)) {
        shift.suspect = at_once;
        shift.clamped = true;
      } else {
        shift.claims_previous = at_once;
        if (has_position_) {
          model_.restart(position, host_time);
          begin_epoch(Cause::clock_changed);
        } else {
          jump_readings_ = 0;
          position += std::llround(deviation * rate_);
          model_.add(position, host_time);
        }
      }
    } else {
      jump_readings_ = 0;
      if (believed) {
        const ClockModel::Verdict verdict = model_.add(position, host_time);
        shift.clamped = verdict == ClockModel::Verdict::ignored;
        if (verdict == ClockModel::Verdict::stepped) begin_epoch(Cause::clock_stepped);
      }
    }
  }
  last_position_ = position;
  last_frames_ = reading.frames;

  if (origin_ns == kNoOrigin) {
    publish();
    return false;
  }
  if (!on_curve_) {
    begin_curve(position, origin);
    steer(reading, origin);
  } else if (position != curve_position_) {
    advance_curve(position);
    steer(reading, origin);
  }
  publish();
  stamp = Stamp{position,      epoch_,        curve_timeline_,
                curve_step_,   shift.suspect, shift.claims_previous,
                shift.clamped, break_cause_};
  return true;
}

void ClockDomain::steer(const ClockReading& reading, HostTime origin) noexcept {
  const double target = target_at(curve_position_, origin);
  const double error = target - curve_timeline_;
  const double elapsed = static_cast<double>(reading.frames) / rate_;
  const double noise = model_.position_error() * timeline_rate_;
  const double nominal_step = static_cast<double>(timeline_rate_) / rate_;

  if (mode_ == Mode::locked) {
    locked_seconds_ += elapsed;
    if (std::abs(error) <= kLockedError + kNoiseErrors * noise) return;
    wanted_agreement_ = locked_seconds_ > kGoodLock
                            ? kShortestAgreement
                            : std::min(2 * wanted_agreement_, kLongestAgreement);
    mode_ = Mode::tracking;
    agreed_seconds_ = 0;
  }

  if (rate_ == timeline_rate_) {
    const bool agrees = std::abs(model_.slope()) < kAgreedSlope + 2 * model_.slope_error() &&
                        noise < kLockableError &&
                        std::abs(error) < kLockedError + kNoiseErrors * noise;
    agreed_seconds_ = agrees ? agreed_seconds_ + elapsed : 0;
    if (!agrees) {
      mode_ = Mode::tracking;
    } else if (mode_ == Mode::tracking && agreed_seconds_ >= wanted_agreement_) {
      mode_ = Mode::gliding;
      locked_offset_ = std::llround(curve_timeline_ - static_cast<double>(curve_position_));
    }
  }

  if (mode_ == Mode::gliding) {
    const double rest = static_cast<double>(curve_position_ + locked_offset_) - curve_timeline_;
    if (std::abs(rest) < kSnap) {
      curve_timeline_ = static_cast<double>(curve_position_ + locked_offset_);
      curve_step_ = 1;
      mode_ = Mode::locked;
      locked_seconds_ = 0;
    } else {
      // The next reading will most likely come after this many frames: arrive there exactly.
      const double glide = rest / std::max(reading.frames, 1U);
      curve_step_ = 1 + std::clamp(glide, -kGlide, kGlide);
    }
    return;
  }

  const double correction = std::clamp(error / (timeline_rate_ * kCorrectionTime),
                                       -kLargestCorrection, kLargestCorrection);
  curve_step_ = nominal_step * (1 + model_.slope() + correction);
}

void ClockDomain::publish() noexcept {
  const bool known = !model_.empty() && model_.slope_error() < 20e-6;
  drift_ppm_.store(known ? (1 / (1 + model_.slope()) - 1) * 1e6 : 0, std::memory_order_relaxed);
  locked_.store(on_curve_ && mode_ == Mode::locked, std::memory_order_relaxed);
}

}  // namespace pypac
