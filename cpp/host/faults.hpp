// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "dsp/finite.hpp"
#include "plugin/audio_block.hpp"

namespace pypac {

/// [pump] Makes what is NaN or infinite silence; true: something was.
inline bool silence_faults(const AudioBlock& block) noexcept {
  bool faulty = false;
  for (std::uint32_t c = 0; c < block.channel_count; ++c)
    faulty = silence_not_finite(block.channels[c], block.frames) || faulty;
  return faulty;
}

}  // namespace pypac
