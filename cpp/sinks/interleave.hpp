// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pypac {

/// [any-thread, realtime-safe] Copies `frames` frames of planar channels, from frame `from` on, to
/// one after another. Example, two channels: 1,2,3 and 4,5,6 -> 1,4,2,5,3,6.
inline void interleave(const float* const* channels, std::uint32_t channel_count,
                       std::uint32_t from, std::uint32_t frames, float* out) noexcept {
  if (channel_count == 1) {
    std::memcpy(out, channels[0] + from, frames * sizeof(float));
  } else if (channel_count == 2) {
    const float* const left = channels[0] + from;
    const float* const right = channels[1] + from;
    for (std::uint32_t i = 0; i < frames; ++i) {
      out[std::size_t{2} * i] = left[i];
      out[std::size_t{2} * i + 1] = right[i];
    }
  } else {
    for (std::uint32_t c = 0; c < channel_count; ++c)
      for (std::uint32_t i = 0; i < frames; ++i)
        out[std::size_t{i} * channel_count + c] = channels[c][from + i];
  }
}

}  // namespace pypac
