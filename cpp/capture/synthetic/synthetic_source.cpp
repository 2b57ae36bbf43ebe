// SPDX-License-Identifier: MIT
#include "capture/synthetic/synthetic_source.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <utility>

#include "core/decibels.hpp"

namespace pypac {
namespace {
// 2^24 is how far a float counts without loss.
constexpr std::int64_t kNumberedPeriod = std::int64_t{1} << 24;
}  // namespace

SyntheticSource::SyntheticSource(const SyntheticSignal& signal, std::uint32_t sample_rate,
                                 std::uint32_t channels, std::uint32_t capacity_frames)
    : SyntheticSource(signal, sample_rate, channels, capacity_frames,
                      std::make_shared<ClockDomain>(sample_rate)) {}

SyntheticSource::SyntheticSource(const SyntheticSignal& signal, std::uint32_t sample_rate,
                                 std::uint32_t channels, std::uint32_t capacity_frames,
                                 std::shared_ptr<ClockDomain> domain)
    : FedSource(channels, std::max(capacity_frames, 4 * signal.quantum), domain),
      signal_(signal),
      sample_rate_(sample_rate),
      device_rate_(sample_rate * (1 + signal.skew_ppm * 1e-6)),
      amplitude_(static_cast<float>(linear_from_db(signal.level_dbfs))),
      domain_(std::move(domain)),
      random_(signal.seed + 1) {
  feed_.set_absence(Cause::stalled);
}

void SyntheticSource::join(HostTime origin, Frames first) {
  origin_ = origin;
  position_ = first / signal_.quantum * signal_.quantum;
  domain_->set_origin(origin);
}

double SyntheticSource::seconds_of(std::int64_t position) const noexcept {
  return static_cast<double>(position) / device_rate_;
}

bool SyntheticSource::dropped(std::int64_t begin, std::int64_t end) const noexcept {
  return std::any_of(signal_.dropouts.begin(), signal_.dropouts.end(), [&](const auto& dropout) {
    const double end_s = dropout.at_s + dropout.length_ms * 1e-3;
    return begin < std::llround(end_s * sample_rate_) &&
           end > std::llround(dropout.at_s * sample_rate_);
  });
}

void SyntheticSource::produce(HostTime until) noexcept {
  const double until_s = std::chrono::duration<double>(until - origin_).count();
  // A packet is there once its last frame has been heard.
  while (seconds_of(position_ + signal_.quantum) <= until_s) {
    const double begin_s = seconds_of(position_);
    ClockReading reading;
    reading.clock_id = 1;
    reading.rate = sample_rate_;
    reading.position = position_;
    reading.frames = signal_.quantum;
    const double jitter_ms =
        signal_.jitter_ms == 0
            ? 0
            : std::uniform_real_distribution(-signal_.jitter_ms, signal_.jitter_ms)(random_);
    reading.host_time = origin_ + HostTime(std::llround(begin_s * 1e9 + jitter_ms * 1e6));
    Stamp stamp;
    if (!dropped(position_, position_ + signal_.quantum) && domain_->stamp(reading, stamp)) {
      if (float* const samples = feed_.begin_packet(signal_.quantum)) {
        generate(samples);
        feed_.commit_packet(stamp);
      }
    }
    position_ += signal_.quantum;
  }
}

void SyntheticSource::generate(float* samples) noexcept {
  const std::uint32_t frames = signal_.quantum;
  switch (signal_.kind) {
    case SyntheticSignal::Kind::silence:
      std::fill_n(samples, frames, 0.0F);
      break;
    case SyntheticSignal::Kind::numbered: {
      const auto base = static_cast<std::int32_t>(position_ % kNumberedPeriod);
      constexpr auto kMask = static_cast<std::int32_t>(kNumberedPeriod - 1);
      for (std::int32_t i = 0; i < static_cast<std::int32_t>(frames); ++i)
        samples[i] = static_cast<float>((base + i) & kMask) * (1.0F / kNumberedPeriod);
      break;
    }
    case SyntheticSignal::Kind::noise: {
      std::uniform_real_distribution<float> value(-amplitude_, amplitude_);
      for (std::uint32_t i = 0; i < frames; ++i) samples[i] = value(random_);
      break;
    }
    case SyntheticSignal::Kind::tone: {
      // The phase restarts from the exact position in every packet, so errors never add up.
      const double turns_per_frame = signal_.frequency_hz / sample_rate_;
      for (std::uint32_t i = 0; i < frames; ++i) {
        const double turns = turns_per_frame * static_cast<double>(position_ + i);
        samples[i] = amplitude_ * static_cast<float>(
                                      std::sin(2 * std::numbers::pi * (turns - std::floor(turns))));
      }
      break;
    }
  }
  for (std::uint32_t c = 1; c < feed_.channels(); ++c)
    std::memcpy(samples + std::size_t{c} * frames, samples, frames * sizeof(float));
}

}  // namespace pypac
