// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "plugin/filter.hpp"

namespace pypac {

/// A planar block that lies somewhere else.
class BlockView {
 public:
  BlockView(const float* const* channels, std::uint32_t channel_count) noexcept
      : channels_(channels), channel_count_(channel_count) {}

  [[nodiscard]] const float* const* channels() const noexcept { return channels_; }
  [[nodiscard]] std::uint32_t channel_count() const noexcept { return channel_count_; }

 private:
  const float* const* channels_;
  std::uint32_t channel_count_;
};

/// Planar memory for one block.
class BlockBuffer {
 public:
  /// [control-thread]
  BlockBuffer(std::uint32_t channels, std::uint32_t max_frames);
  BlockBuffer(const BlockBuffer&) = delete;
  BlockBuffer& operator=(const BlockBuffer&) = delete;

  [[nodiscard]] float* const* channels() noexcept { return pointers_.data(); }
  [[nodiscard]] BlockView view() const noexcept { return {pointers_.data(), channel_count()}; }
  [[nodiscard]] std::uint32_t channel_count() const noexcept {
    return static_cast<std::uint32_t>(pointers_.size());
  }

 private:
  std::vector<float> samples_;
  std::vector<float*> pointers_;
};

/// How one send brings a source's channels into a track's.
///
/// Same number of channels: each into its own. Mono into several: into all of them. Several into
/// mono: their mean. Otherwise the channels that both have.
/// Example: 1,2,3 with gain 1 added to 4,5,6 gives 5,7,9.
class Mixer {
 public:
  /// [pump] `first` writes the track's block instead of adding to it: a single send with gain 1 is
  /// a copy, bit for bit.
  static void send(BlockView source, float gain, bool first, BlockBuffer& track,
                   std::uint32_t frames) noexcept;
  /// [pump]
  static void clear(BlockBuffer& track, std::uint32_t frames) noexcept;
};

}  // namespace pypac
