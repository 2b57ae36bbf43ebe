// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pypac {

/// Reads a signal between its frames: a windowed sinc (Kaiser, 32 zero crossings a side).
///
/// It has no state: the caller keeps the input and says where to read, so two sources that are read
/// at the same places stay aligned to the sample, and a ratio may change at any frame. On whole
/// positions at cutoff 1 it gives the input bit for bit, so that passing through and resampling
/// join without a seam.
class Resampler {
 public:
  /// The widest kernel's half: so many frames before and behind a position may be read.
  static constexpr std::uint32_t kMaxHalfWidth = 288;

  /// [control-thread] `cutoff` is a share of the input's Nyquist frequency, in (1/9, 1].
  explicit Resampler(double cutoff);

  /// [any-thread, realtime-safe] The shared one for `step` output frames per input frame; its
  /// cutoff keeps what the output can hold. The first call builds all of them: make it on the
  /// control thread (Aligner's constructor does).
  [[nodiscard]] static const Resampler& for_step(double step) noexcept;

  /// Reading at x touches the frames floor(x) - half_width() + 1 ... floor(x) + half_width().
  [[nodiscard]] std::uint32_t half_width() const noexcept { return half_width_; }

  /// [pump] For each channel c and i < frames: output[c][i] = inputs[c] read at
  /// (first + i) * increment, where inputs[c] points at position 0.
  void read(const float* const* inputs, std::uint32_t channels, double first, double increment,
            std::uint32_t frames, float* const* outputs) const noexcept;

 private:
  std::uint32_t half_width_;
  std::uint32_t phases_;  // a frame is divided into so many; between them it is interpolated
  std::vector<float> coefficients_;  // phases_ + 1 rows of 2 * half_width_
};

/// [control-thread] A whole signal at `ratio` output frames per input frame, silence around it:
/// ceil(size * ratio) frames, the first at the input's first. For tests and offline use.
[[nodiscard]] std::vector<float> resample(std::span<const float> mono, double ratio);

}  // namespace pypac
