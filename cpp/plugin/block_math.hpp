// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstring>

#include "core/glide.hpp"
#include "plugin/audio_block.hpp"

namespace pypac {

/// [pump] Blocks of the same shape.
inline void copy_block(const AudioBlock& from, const AudioBlock& to) noexcept {
  for (std::uint32_t c = 0; c < from.channel_count; ++c)
    std::memcpy(to.channels[c], from.channels[c], from.frames * sizeof(float));
}

/// [pump] In place. A gain of 1 leaves every bit as it is.
inline void scale_block(const AudioBlock& block, const GlideBlock& gain) noexcept {
  if (gain.is(1)) return;
  for (std::uint32_t c = 0; c < block.channel_count; ++c) {
    float* const samples = block.channels[c];
    for (std::uint32_t i = 0; i < gain.frames; ++i) samples[i] *= gain.at(i);
    for (std::uint32_t i = gain.frames; i < block.frames; ++i) samples[i] *= gain.rest;
  }
}

/// [pump] `share` of `block` and the rest of `other`, put into `block`.
inline void cross_fade(const AudioBlock& other, const GlideBlock& share,
                       const AudioBlock& block) noexcept {
  for (std::uint32_t c = 0; c < block.channel_count; ++c) {
    const float* const from = other.channels[c];
    float* const out = block.channels[c];
    for (std::uint32_t i = 0; i < block.frames; ++i)
      out[i] = from[i] + share.at(i) * (out[i] - from[i]);
  }
}

}  // namespace pypac
