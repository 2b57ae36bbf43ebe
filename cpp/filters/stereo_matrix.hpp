// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "core/glide.hpp"
#include "plugin/audio_block.hpp"

namespace pypac {

/// How left and right come out, each of both.
struct StereoGains {
  float left_of_left = 1;
  float left_of_right = 0;
  float right_of_left = 0;
  float right_of_right = 1;
};

/// Mixes a track's first two channels into each other; channels behind them pass. In a track with
/// one channel that is left and right alike, and what would come out left is heard.
///
/// Example: 0.5 everywhere makes mono of stereo. Left and right as they are pass bit for bit.
class StereoMatrix {
 public:
  /// [control-thread]
  StereoMatrix(std::uint32_t sample_rate, const StereoGains& gains) noexcept;

  /// [pump] Where the gains glide to.
  void aim(const StereoGains& gains) noexcept;
  /// [pump] A break: until the next block the gains are where they are aimed at.
  void forget() noexcept;
  /// [pump] In place.
  void process(const AudioBlock& block) noexcept;

 private:
  Glide left_of_left_;
  Glide left_of_right_;
  Glide right_of_left_;
  Glide right_of_right_;
};

}  // namespace pypac
