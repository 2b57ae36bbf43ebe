// SPDX-License-Identifier: MIT
#include "engine/meter.hpp"

#include <algorithm>
#include <cmath>

namespace pypac {
namespace {

constexpr float kFallDb = 20.0F;
constexpr float kFallSeconds = 1.7F;
constexpr float kRmsSeconds = 0.3F;

struct BlockLevel {
  float peak = 0;
  float sum_of_squares = 0;
};

// Independent lanes let the compiler use vector instructions without reordering any one sum.
BlockLevel measure(const float* samples, std::uint32_t frames) noexcept {
  constexpr std::uint32_t kLanes = 8;
  float peaks[kLanes] = {};
  float sums[kLanes] = {};
  std::uint32_t i = 0;
  for (; i + kLanes <= frames; i += kLanes) {
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      const float sample = samples[i + lane];
      const float magnitude = std::fabs(sample);
      peaks[lane] = peaks[lane] > magnitude ? peaks[lane] : magnitude;
      sums[lane] += sample * sample;
    }
  }
  BlockLevel level;
  for (; i < frames; ++i) {
    level.peak = std::max(level.peak, std::fabs(samples[i]));
    level.sum_of_squares += samples[i] * samples[i];
  }
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    level.peak = std::max(level.peak, peaks[lane]);
    level.sum_of_squares += sums[lane];
  }
  return level;
}

}  // namespace

void Meter::process(const float* const* channels, std::uint32_t channel_count,
                    std::uint32_t frames) noexcept {
  if (frames == 0 || channel_count == 0) return;
  if (frames != frames_of_factors_) {
    frames_of_factors_ = frames;
    const float seconds = static_cast<float>(frames) / static_cast<float>(sample_rate_);
    peak_fall_ = std::pow(10.0F, -kFallDb / 20.0F * seconds / kFallSeconds);
    rms_weight_ = 1.0F - std::exp(-seconds / kRmsSeconds);
  }
  BlockLevel level;
  for (std::uint32_t c = 0; c < channel_count; ++c) {
    const BlockLevel channel = measure(channels[c], frames);
    level.peak = std::max(level.peak, channel.peak);
    level.sum_of_squares += channel.sum_of_squares;
  }
  const float mean_square =
      level.sum_of_squares / (static_cast<float>(frames) * static_cast<float>(channel_count));
  mean_square_ += rms_weight_ * (mean_square - mean_square_);
  peak_.store(std::max(level.peak, peak() * peak_fall_), std::memory_order_relaxed);
  rms_.store(std::sqrt(mean_square_), std::memory_order_relaxed);
  if (level.peak > max_peak()) max_peak_.store(level.peak, std::memory_order_relaxed);
  silent_frames_.store(level.peak > 0 ? 0 : silent_frames() + frames, std::memory_order_relaxed);
}

}  // namespace pypac
