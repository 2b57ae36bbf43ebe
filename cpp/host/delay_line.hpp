// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "plugin/audio_block.hpp"

namespace pypac {

/// Gives back what went in some frames ago, bit for bit; at first silence.
class DelayLine {
 public:
  /// [control-thread] Allocates; nothing afterwards does.
  DelayLine(std::uint32_t channels, std::uint32_t max_delay, std::uint32_t max_frames);

  /// [pump] Takes a block in. Before each read().
  void write(BlockView in, std::uint32_t frames) noexcept;

  /// [pump] What was written `delay` frames before the block of the last write(). `out` may be what
  /// that was given.
  void read(std::uint32_t delay, const AudioBlock& out) const noexcept;

  /// [pump] Both, in place.
  void process(std::uint32_t delay, const AudioBlock& block) noexcept {
    write({block.channels, block.channel_count}, block.frames);
    read(delay, block);
  }

  /// [pump] Silence from here back.
  void clear() noexcept;

 private:
  std::uint32_t channels_;
  std::size_t capacity_;  // a power of two
  std::vector<float> samples_;
  std::size_t begin_ = 0;  // pump only: of the last block written
  std::size_t end_ = 0;    // pump only
};

}  // namespace pypac
