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

BlockLevel measure(const float* samples, std::uint32_t frames) noexcept {
  float peak = 0;
  float sum = 0;
  // The order of summing does not matter here; saying so makes it three times as fast.
#pragma omp simd reduction(+ : sum) reduction(max : peak)
  for (std::uint32_t i = 0; i < frames; ++i) {
    const float sample = samples[i];
    const float magnitude = std::fabs(sample);
    sum += sample * sample;
    peak = peak > magnitude ? peak : magnitude;
  }
  return {peak, sum};
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
