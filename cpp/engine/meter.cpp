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

// Sixteen sums of their own: enough for the adder's latency not to count, whatever the width of the
// vector registers.
BlockLevel measure(const float* samples, std::uint32_t frames) noexcept {
  constexpr std::uint32_t kLanes = 16;
  float peaks[kLanes] = {};
  float sums[kLanes] = {};
  std::uint32_t begin = 0;
  for (; begin + kLanes <= frames; begin += kLanes) {
    // A pointer of its own: where `begin + lane` might wrap, the compiler loads one by one.
    const float* const next = samples + begin;
#pragma omp simd
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      const float sample = next[lane];
      const float magnitude = std::fabs(sample);
      sums[lane] += sample * sample;
      peaks[lane] = peaks[lane] > magnitude ? peaks[lane] : magnitude;
    }
  }
  BlockLevel level;
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    level.peak = std::max(level.peak, peaks[lane]);
    level.sum_of_squares += sums[lane];
  }
  for (; begin < frames; ++begin) {
    level.peak = std::max(level.peak, std::fabs(samples[begin]));
    level.sum_of_squares += samples[begin] * samples[begin];
  }
  return level;
}

}  // namespace

float peak_fall(std::uint32_t frames, std::uint32_t sample_rate) noexcept {
  const float seconds = static_cast<float>(frames) / static_cast<float>(sample_rate);
  return std::pow(10.0F, -kFallDb / 20.0F * seconds / kFallSeconds);
}

void Meter::process(const float* const* channels, std::uint32_t channel_count,
                    std::uint32_t frames) noexcept {
  if (frames == 0 || channel_count == 0) return;
  if (frames != frames_of_factors_) {
    frames_of_factors_ = frames;
    const float seconds = static_cast<float>(frames) / static_cast<float>(sample_rate_);
    peak_fall_ = peak_fall(frames, sample_rate_);
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
  // A program's NaN or infinity must not stay in the average for good.
  if (!std::isfinite(mean_square_)) mean_square_ = 0;
  peak_.store(std::max(level.peak, peak() * peak_fall_), std::memory_order_relaxed);
  rms_.store(std::sqrt(mean_square_), std::memory_order_relaxed);
  if (level.peak > max_peak()) max_peak_.store(level.peak, std::memory_order_relaxed);
  silent_frames_.store(level.peak > 0 ? 0 : silent_frames() + frames, std::memory_order_relaxed);
}

void Meter::follow(const Meter& other) noexcept {
  peak_.store(other.peak(), std::memory_order_relaxed);
  rms_.store(other.rms(), std::memory_order_relaxed);
  max_peak_.store(other.max_peak(), std::memory_order_relaxed);
  silent_frames_.store(other.silent_frames(), std::memory_order_relaxed);
}

}  // namespace pypac
