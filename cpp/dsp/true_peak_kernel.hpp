// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace pypac {

/// Of how many samples on each side a value between two samples is made.
inline constexpr std::size_t kTruePeakReach = 8;

/// How many samples behind the last one kernels may read, and never use.
inline constexpr std::size_t kLanePadding = 16;

/// Weights of a filter that gives the values at a quarter, the half and three quarters of the way
/// from one sample to the next. The sample k before that one and the one k behind the next have the
/// same distance from the middle, so it is made of their sums and differences.
struct TruePeakTaps {
  float middle[kTruePeakReach];        // of the sums
  float quarter_sums[kTruePeakReach];  // of the sums, for both quarters
  float
      quarter_differences[kTruePeakReach];  // of the differences; the third quarter's are negative
  float most;  // no value is more than this times the loudest sample that it is made of
};

namespace narrow {
/// The largest absolute value between samples[0] and samples[frames], or `known` where that is
/// larger. Reads samples[-kTruePeakReach] to samples[frames + kTruePeakReach + kLanePadding].
[[nodiscard]] float true_peak(const float* samples, std::size_t frames, const TruePeakTaps& taps,
                              float known) noexcept;
}  // namespace narrow

namespace wide {
[[nodiscard]] float true_peak(const float* samples, std::size_t frames, const TruePeakTaps& taps,
                              float known) noexcept;
}  // namespace wide

}  // namespace pypac
