// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "dsp/true_peak_kernel.hpp"

namespace pypac {

/// What a limiter looks at: some frames, and before and behind them what the true peaks' filter
/// reaches for.
struct LimiterInput {
  const float* const* channels;
  std::size_t channel_count;
  const float* ceilings;  // of each frame, linear; they rise or fall throughout
  std::size_t frames;
  const TruePeakTaps* taps;  // nullptr: samples alone count
};

/// How several limiters let go, side by side: `reductions[n]` points to as many frames each.
struct LimiterRelease {
  float* const* reductions;
  const float* decays;  // by which a reduction falls in a frame
  float* states;        // the reduction of the frame before; becomes that of the last
  std::size_t count;
  std::size_t frames;
};

/// Reductions are 1 - gain, so that nothing is 0, and what decays ends there. All read and write up
/// to kLanePadding values behind the last, but for samples that come in or go out.
namespace narrow {
/// A copy of samples, silence where they are no numbers.
void limiter_read(const float* in, float* samples, std::size_t frames) noexcept;
/// The reduction that each frame needs for itself. False: none.
[[nodiscard]] bool limiter_reductions(const LimiterInput& input, float* reductions) noexcept;
/// Each reduction decays until a larger one comes.
void limiter_release(const LimiterRelease& release) noexcept;
/// The largest of as many reductions.
[[nodiscard]] float limiter_largest(const float* reductions, std::size_t frames) noexcept;
/// Samples times 1 - scale * reduction.
void limiter_write(const float* samples, const float* reductions, float scale, float* out,
                   std::size_t frames) noexcept;
}  // namespace narrow

namespace wide {
void limiter_read(const float* in, float* samples, std::size_t frames) noexcept;
[[nodiscard]] bool limiter_reductions(const LimiterInput& input, float* reductions) noexcept;
void limiter_release(const LimiterRelease& release) noexcept;
[[nodiscard]] float limiter_largest(const float* reductions, std::size_t frames) noexcept;
void limiter_write(const float* samples, const float* reductions, float scale, float* out,
                   std::size_t frames) noexcept;
}  // namespace wide

}  // namespace pypac
