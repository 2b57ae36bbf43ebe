// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace pypac {

/// What follows a level, or a gain in steps of 6.02 dB (logarithms to base 2): y = c y + (1 - c) x,
/// with a coefficient for the way up and one for the way down.
struct Follower {
  float* values = nullptr;  // in place
  float rise = 0;           // exp(-1 / (rate * time))
  float fall = 0;
  float value = 0;  // the last
  float rest = 0;   // what float32 cut off from it, where it follows exactly
};

/// What opens and closes: levels become the share from 0 to 1 to which it is open.
///
/// It opens where a level is above `open_above`. A level falls by `slack` a frame at most, from
/// twice `open_above` at most; once it is below `close_below` the hold begins, and behind that the
/// way down.
///
/// The share is counted in whole steps: that is exact however small they are, and quicker than the
/// float32 arithmetic that the next frame would wait for.
struct GateRamp {
  static constexpr std::int32_t kOpen = 1 << 29;  // a share of 1; twice as many fit

  float* values = nullptr;  // in place
  float open_above = 1;
  float close_below = 1;
  float slack = 0;
  float hold = 0;            // frames
  std::int32_t up = kOpen;   // of the share, a frame
  std::int32_t up_held = 0;  // the same during the hold
  std::int32_t down = kOpen;
  float level = 0;
  float held = 1e9F;  // frames
  std::int32_t share = 0;
  float is_open = 0;  // 1 or 0
};

/// A static curve: gain over level, both in logarithms to base 2.
///
/// By how much the level is over the threshold (with sign -1: under it) goes through a quadratic
/// knee (Giannoulis, Massberg, Reiss, JAES 60(6), 2012) and is multiplied by the slope.
struct LevelCurve {
  float sign = 1;
  float threshold = 0;
  float bottom = -1e9F;  // a level above it by less than that counts by so much
  float half_knee = 0;
  float knee_share = 0;  // 1 / (2 * knee); 0 for a hard one
  float slope = 0;
  float low = -1e9F;  // of the gain
  float high = 1e9F;
};

/// What becomes of the curve's result v: dry + wet * 2^(depth v), or dry + wet * v.
struct GainStage {
  float dry = 0;
  float wet = 1;
  float depth = 1;
  float split = 0;  // de-esser: how much of the reduction is the band's alone
};

/// A straight way from one to another: at frame n of the stretch the share of `to` is
/// (first + n) * step. Without `from` it is there.
template <typename T>
struct Way {
  const T* from;
  const T* to;
  float first;
  float step;
};

/// Arithmetic of dynamics on blocks. Each takes any number of frames; in one piece or in many they
/// give the same bits.
struct EnvelopeKernels {
  /// The loudest channel at each frame; with `add` also of what lies in `level`. Limited to
  /// 60 dBFS; what is no number counts as 0.
  void (*loudest)(float* level, const float* const* channels, std::size_t count, bool add,
                  std::size_t frames) noexcept;
  /// A copy in which what is no number, or beyond 60 dBFS, is 0.
  void (*copy_sane)(float* to, const float* from, std::size_t frames) noexcept;
  /// Serial in time, and side by side for all of them: as the next three.
  void (*follow)(Follower* const* followers, std::size_t count, std::size_t frames) noexcept;
  /// The same for gains in logarithms: of a long way it also goes the last thousandth, for which
  /// steps are too small for float32.
  void (*follow_exactly)(Follower* const* followers, std::size_t count,
                         std::size_t frames) noexcept;
  /// The root of the mean of squares.
  void (*root_mean)(Follower* const* followers, std::size_t count, std::size_t frames) noexcept;
  void (*ramp)(GateRamp* const* ramps, std::size_t count, std::size_t frames) noexcept;
  /// Levels (linear) to gains (logarithms).
  void (*curve)(float* values, const Way<LevelCurve>& way, std::size_t frames) noexcept;
  /// Logarithms to gains. Gives the smallest depth * v.
  float (*gain_of_log)(float* values, const Way<GainStage>& way, std::size_t frames) noexcept;
  /// Shares to gains. Gives the smallest.
  float (*gain_of_share)(float* values, const Way<GainStage>& way, std::size_t frames) noexcept;
  void (*scale)(float* samples, const float* gain, std::size_t frames) noexcept;
  /// The gain goes for the band alone, or in part for all, as `split` says.
  void (*scale_band)(float* samples, const float* band, const float* gain,
                     const Way<GainStage>& way, std::size_t frames) noexcept;
};

namespace narrow {
const EnvelopeKernels& envelope_kernels() noexcept;
}
namespace wide {
const EnvelopeKernels& envelope_kernels() noexcept;
}

}  // namespace pypac
