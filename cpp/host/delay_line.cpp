// SPDX-License-Identifier: MIT
#include "host/delay_line.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "core/thread_role.hpp"

namespace pypac {

DelayLine::DelayLine(std::uint32_t channels, std::uint32_t max_delay, std::uint32_t max_frames)
    : channels_(channels),
      capacity_(std::bit_ceil(std::size_t{max_delay} + max_frames)),
      samples_(capacity_ * channels) {}

void DelayLine::write(BlockView in, std::uint32_t frames) noexcept {
  PYPAC_ASSERT_PUMP();
  assert(in.channel_count() == channels_ && frames <= capacity_);
  begin_ = end_;
  const std::size_t at = begin_ & (capacity_ - 1);
  const std::size_t first = std::min<std::size_t>(frames, capacity_ - at);
  for (std::uint32_t c = 0; c < channels_; ++c) {
    float* const line = samples_.data() + c * capacity_;
    std::memcpy(line + at, in.channels()[c], first * sizeof(float));
    std::memcpy(line, in.channels()[c] + first, (frames - first) * sizeof(float));
  }
  end_ = begin_ + frames;
}

void DelayLine::read(std::uint32_t delay, const AudioBlock& out) const noexcept {
  PYPAC_ASSERT_PUMP();
  assert(delay + out.frames <= capacity_ && out.frames == end_ - begin_);
  const std::size_t at = (begin_ - delay) & (capacity_ - 1);
  const std::size_t first = std::min<std::size_t>(out.frames, capacity_ - at);
  for (std::uint32_t c = 0; c < channels_; ++c) {
    const float* const line = samples_.data() + c * capacity_;
    std::memcpy(out.channels[c], line + at, first * sizeof(float));
    std::memcpy(out.channels[c] + first, line, (out.frames - first) * sizeof(float));
  }
}

void DelayLine::clear() noexcept {
  std::ranges::fill(samples_, 0.0F);
}

}  // namespace pypac
