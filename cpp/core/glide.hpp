// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>

namespace pypac {

/// One block of a glide: `frames` values begin + step, begin + 2 * step, ..., then `rest` for as
/// long as the block lasts.
struct GlideBlock {
  float begin = 0;
  float step = 0;
  std::uint32_t frames = 0;
  float rest = 0;

  /// The value at a frame of the block.
  [[nodiscard]] float at(std::uint32_t frame) const noexcept {
    return frame < frames ? begin + step * static_cast<float>(frame + 1) : rest;
  }
  /// It is that value throughout.
  [[nodiscard]] bool is(float value) const noexcept { return frames == 0 && rest == value; }
};

/// A value that goes to its target in a straight line, so that it does not click, whatever the
/// length of the blocks.
///
/// Example, 4 frames long, from 1 to 0: 0.75, 0.5, 0.25, 0, 0, ...
class Glide {
 public:
  /// [control-thread] `frames`: how long it takes. It stands at `value`. `unheard`: nothing can
  /// click before the first take(), so that until then it is where it is aimed at.
  Glide(std::uint32_t frames, float value, bool unheard = false) noexcept
      : length_(std::max<std::uint32_t>(1, frames)),
        value_(value),
        target_(value),
        unheard_(unheard) {}

  /// [pump] Where it goes from here on. Nothing changes where it goes there already.
  void aim(float target) noexcept {
    if (unheard_) return jump(target);
    if (target == target_) return;
    target_ = target;
    left_ = length_;
  }

  /// [pump] Stands there at once.
  void jump(float value) noexcept {
    value_ = target_ = value;
    left_ = 0;
  }

  /// [pump] Something was heard without take().
  void hear() noexcept { unheard_ = false; }

  /// [pump] The next `frames` values.
  [[nodiscard]] GlideBlock take(std::uint32_t frames) noexcept {
    unheard_ = false;
    GlideBlock block{value_, 0, std::min(left_, frames), target_};
    if (block.frames == 0) return block;
    block.step = (target_ - value_) / static_cast<float>(left_);
    left_ -= block.frames;
    value_ = left_ == 0 ? target_ : value_ + block.step * static_cast<float>(block.frames);
    return block;
  }

  /// [pump] It has reached this value, and stays there.
  [[nodiscard]] bool stands_at(float value) const noexcept {
    return left_ == 0 && target_ == value;
  }

 private:
  std::uint32_t length_;
  std::uint32_t left_ = 0;
  float value_;
  float target_;
  bool unheard_;
};

/// How long a glide takes: too short to be heard as one, too long to click. At 40 dB on a tone of
/// 100 Hz no step between two samples is more than 1.02 times the tone's own.
[[nodiscard]] constexpr std::uint32_t glide_frames(std::uint32_t sample_rate) noexcept {
  return sample_rate / 100;
}

}  // namespace pypac
