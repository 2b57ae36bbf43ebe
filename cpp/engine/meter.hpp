// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace pypac {

/// What a peak falls to over so many frames, of 1: by 20 dB in 1.7 s (IEC 60268-10 type I).
[[nodiscard]] float peak_fall(std::uint32_t frames, std::uint32_t sample_rate) noexcept;

/// Peak and RMS of a track or source, over all of its channels.
///
/// Peak rises at once and falls as peak_fall() says; RMS is averaged over 300 ms.
class Meter {
 public:
  explicit Meter(std::uint32_t sample_rate) : sample_rate_(sample_rate) {}

  /// [pump]
  void process(const float* const* channels, std::uint32_t channel_count,
               std::uint32_t frames) noexcept;

  /// [pump] Shows what `other` shows: both would be fed the same. Instead of process(), for good.
  void follow(const Meter& other) noexcept;

  /// [any-thread, realtime-safe] Linear; 1 is 0 dBFS.
  [[nodiscard]] float peak() const noexcept { return peak_.load(std::memory_order_relaxed); }
  /// [any-thread, realtime-safe] Linear: a full-scale sine has 0.707.
  [[nodiscard]] float rms() const noexcept { return rms_.load(std::memory_order_relaxed); }
  /// [any-thread, realtime-safe] The highest peak since the session's start.
  [[nodiscard]] float max_peak() const noexcept {
    return max_peak_.load(std::memory_order_relaxed);
  }
  /// [any-thread, realtime-safe] For how many frames there has been nothing but zeros.
  [[nodiscard]] std::int64_t silent_frames() const noexcept {
    return silent_frames_.load(std::memory_order_relaxed);
  }

 private:
  std::uint32_t sample_rate_;
  std::uint32_t frames_of_factors_ = 0;  // pump only: the block length that the factors are for
  float peak_fall_ = 0;                  // pump only
  float rms_weight_ = 0;                 // pump only
  float mean_square_ = 0;                // pump only
  std::atomic<float> peak_{0};
  std::atomic<float> rms_{0};
  std::atomic<float> max_peak_{0};
  std::atomic<std::int64_t> silent_frames_{0};
};

}  // namespace pypac
