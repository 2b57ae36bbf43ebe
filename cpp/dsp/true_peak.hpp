// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "dsp/true_peak_kernel.hpp"

namespace pypac {

/// [any-thread] The filter that finds values between samples. The first call, on the control
/// thread, makes it.
[[nodiscard]] const TruePeakTaps& true_peak_taps();

/// The loudest value of one channel's waveform, between its samples too: fourfold oversampled, as
/// ITU-R BS.1770-5, annex 2, asks for. Reads at most 0.17 dB too little at 12 kHz, 0.38 dB at
/// 18 kHz: a peak may lie between two of the four.
///
/// Example, a meter of dBTP: `peak = true_peak.process(samples, frames)` of every block, and
/// `loudest = true_peak.process(samples, frames, loudest)` where only the loudest so far is wanted:
/// what cannot be louder is not computed, which makes it several times as quick.
class TruePeak {
 public:
  /// [control-thread] Blocks are at most so long.
  explicit TruePeak(std::uint32_t max_frames);

  /// [pump] The largest absolute value, linear, in the block that lies kTruePeakReach frames before
  /// this one, or `known` where that is larger. NaN counts as nothing. Blocks of any length find
  /// the same.
  [[nodiscard]] float process(const float* samples, std::uint32_t frames, float known = 0) noexcept;

  /// [pump] Silence came before.
  void reset() noexcept;

 private:
  std::vector<float> samples_;  // what the filter reaches back to, the block, and padding
};

}  // namespace pypac
