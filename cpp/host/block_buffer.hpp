// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "plugin/audio_block.hpp"

namespace pypac {

/// Planar memory for one block.
class BlockBuffer {
 public:
  /// [control-thread]
  BlockBuffer(std::uint32_t channels, std::uint32_t max_frames)
      : samples_(std::size_t{channels} * max_frames) {
    for (std::uint32_t c = 0; c < channels; ++c)
      pointers_.push_back(samples_.data() + std::size_t{c} * max_frames);
  }
  BlockBuffer(const BlockBuffer&) = delete;
  BlockBuffer& operator=(const BlockBuffer&) = delete;

  [[nodiscard]] float* const* channels() noexcept { return pointers_.data(); }
  [[nodiscard]] BlockView view() const noexcept { return {pointers_.data(), channel_count()}; }
  [[nodiscard]] AudioBlock block(std::uint32_t frames) noexcept {
    return {pointers_.data(), channel_count(), frames};
  }
  [[nodiscard]] std::uint32_t channel_count() const noexcept {
    return static_cast<std::uint32_t>(pointers_.size());
  }

 private:
  std::vector<float> samples_;
  std::vector<float*> pointers_;
};

}  // namespace pypac
