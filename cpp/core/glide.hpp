// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>

namespace pypac {

/// One block of a glide: `frames` values begin + (first + 1) * step, begin + (first + 2) * step,
/// ..., then `rest` for as long as the block lasts.
struct GlideBlock {
  float begin = 0;  // where the glide began
  float step = 0;
  std::uint32_t frames = 0;
  float rest = 0;
  std::uint32_t first = 0;  // frames of the glide that lie before the block

  /// The value at a frame of the block.
  [[nodiscard]] float at(std::uint32_t frame) const noexcept {
    return frame < frames ? begin + step * static_cast<float>(first + frame + 1) : rest;
  }
  /// It is that value throughout.
  [[nodiscard]] bool is(float value) const noexcept { return frames == 0 && rest == value; }
};

/// A value that goes to its target in a straight line, so that it does not click. Blocks of any
/// length give the same values, bit for bit.
///
/// Example, 4 frames long, from 1 to 0: 0.75, 0.5, 0.25, 0, 0, ...
class Glide {
 public:
  /// [control-thread] `frames`: how long it takes. It stands at `value`. `unheard`: nothing can
  /// click before the first take(), so that until then it is where it is aimed at.
  Glide(std::uint32_t frames, float value, bool unheard = false) noexcept
      : length_(std::max<std::uint32_t>(1, frames)),
        gone_(length_),
        begin_(value),
        target_(value),
        unheard_(unheard) {}

  /// [pump] Where it goes from here on. Nothing changes where it goes there already.
  void aim(float target) noexcept {
    if (unheard_) return jump(target);
    if (target == target_) return;
    begin_ = gone_ == length_ ? target_ : begin_ + step_ * static_cast<float>(gone_);
    target_ = target;
    step_ = (target_ - begin_) / static_cast<float>(length_);
    gone_ = 0;
  }

  /// [pump] Stands there at once.
  void jump(float value) noexcept {
    target_ = value;
    gone_ = length_;
  }

  /// [pump] What follows comes behind a break: until the next take() it is where it is aimed at.
  void forget() noexcept {
    gone_ = length_;
    unheard_ = true;
  }

  /// [pump] Something was heard without take().
  void hear() noexcept { unheard_ = false; }

  /// [pump] The next `frames` values.
  [[nodiscard]] GlideBlock take(std::uint32_t frames) noexcept {
    unheard_ = false;
    const GlideBlock block{begin_, step_, std::min(length_ - gone_, frames), target_, gone_};
    gone_ += block.frames;
    return block;
  }

  /// [pump] It has reached this value, and stays there.
  [[nodiscard]] bool stands_at(float value) const noexcept {
    return gone_ == length_ && target_ == value;
  }

 private:
  std::uint32_t length_;
  std::uint32_t gone_;  // frames of the glide; all of them: it stands at its target
  float begin_;
  float target_;
  float step_ = 0;
  bool unheard_;
};

/// How long a glide takes: too short to be heard as one, too long to click. At 40 dB on a tone of
/// 100 Hz no step between two samples is more than 1.02 times the tone's own.
[[nodiscard]] constexpr std::uint32_t glide_frames(std::uint32_t sample_rate) noexcept {
  return sample_rate / 100;
}

}  // namespace pypac
