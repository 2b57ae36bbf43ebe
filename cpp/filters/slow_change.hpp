// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "dsp/envelope_kernel.hpp"

namespace pypac {

/// Settings that are computed with, and those that they change to: what each gives is cross-faded
/// in a straight line. What is changed meanwhile comes afterwards, the newest of it.
///
/// Which frame gets which share depends on the frame alone, whatever the length of the blocks.
template <typename Settings>
class SlowChange {
 public:
  /// [control-thread] `frames`: how long a change takes.
  explicit SlowChange(std::uint32_t frames = 1) noexcept : length_(std::max(1U, frames)) {}

  /// [pump] At once.
  void jump(const Settings& settings) noexcept {
    to_ = settings;
    gone_ = length_;
    waiting_.reset();
  }

  /// [pump] From the next frame on.
  void aim(const Settings& settings) noexcept {
    if (gone_ < length_) {
      waiting_ = settings;
    } else {
      from_ = to_;
      to_ = settings;
      gone_ = 0;
    }
  }

  /// [pump] To where it goes, at once.
  void settle() noexcept { jump(waiting_.value_or(to_)); }

  /// [pump] What the newest settings are, of those that it stands at or goes to.
  [[nodiscard]] const Settings& target() const noexcept { return to_; }

  /// [pump] Calls `run(at, frames, from, to, first, step)` for each stretch of a block; `from` is
  /// null where nothing changes.
  template <typename Run>
  void take(std::uint32_t frames, Run run) noexcept {
    const float step = 1 / static_cast<float>(length_);
    for (std::uint32_t at = 0; at < frames;) {
      if (gone_ == length_) {
        run(at, frames - at, nullptr, &to_, 0.0F, 0.0F);
        return;
      }
      const std::uint32_t some = std::min(frames - at, length_ - gone_);
      run(at, some, &from_, &to_, static_cast<float>(gone_ + 1), step);
      at += some;
      gone_ += some;
      if (gone_ == length_ && waiting_) {
        const Settings next = *waiting_;
        waiting_.reset();
        aim(next);
      }
    }
  }

 private:
  std::uint32_t length_;
  std::uint32_t gone_ = length_;  // frames of the change
  Settings from_{};
  Settings to_{};
  std::optional<Settings> waiting_;
};

/// The same for one member of the settings.
template <typename Settings, typename Member>
[[nodiscard]] Way<Member> way_of(const Settings* from, const Settings* to, Member Settings::*member,
                                 float first, float step) noexcept {
  return {from ? &(from->*member) : nullptr, &(to->*member), first, step};
}

}  // namespace pypac
