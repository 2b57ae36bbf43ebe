// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "core/glide.hpp"

namespace pypac {

/// How loud a source goes into a track. It glides to every change, but for those that come before
/// its first block: that has the newest gain from its first frame on.
class SendNode {
 public:
  /// [control-thread] `faded_in`: it is heard at once, else faded in.
  SendNode(std::uint32_t sample_rate, float gain, bool faded_in) noexcept
      : target_(gain), glide_(glide_frames(sample_rate), faded_in ? gain : 0, faded_in) {}

  /// [control-thread] Linear.
  void set_gain(float gain) noexcept { target_.store(gain, std::memory_order_relaxed); }

  /// [pump] `leaving`: it is taken out of the track, and faded out.
  [[nodiscard]] GlideBlock take(std::uint32_t frames, bool leaving) noexcept {
    const float target = leaving ? 0 : target_.load(std::memory_order_relaxed);
    glide_.aim(target);
    gone_.store(leaving && glide_.stands_at(0), std::memory_order_release);
    return glide_.take(frames);
  }

  /// [pump] Instead of take() where it passes().
  void pass() noexcept { glide_.hear(); }

  /// [pump] It is 1, and has been.
  [[nodiscard]] bool passes() const noexcept {
    return glide_.stands_at(1) && target_.load(std::memory_order_relaxed) == 1;
  }

  /// [any-thread, realtime-safe] It was leaving, and is not heard any more.
  [[nodiscard]] bool gone() const noexcept { return gone_.load(std::memory_order_acquire); }

 private:
  std::atomic<float> target_;  // control writes, pump reads
  Glide glide_;                // pump only
  std::atomic<bool> gone_{false};
};

}  // namespace pypac
