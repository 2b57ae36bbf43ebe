// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace pypac {

/// Planar audio of one block: `channels` pointers to `frames` samples each. Valid until process()
/// returns.
struct AudioBlock {
  float* const* channels = nullptr;
  std::uint32_t channel_count = 0;
  std::uint32_t frames = 0;
};

/// A planar block that lies somewhere else, to be read.
class BlockView {
 public:
  BlockView() = default;
  BlockView(const float* const* channels, std::uint32_t channel_count) noexcept
      : channels_(channels), channel_count_(channel_count) {}

  [[nodiscard]] const float* const* channels() const noexcept { return channels_; }
  [[nodiscard]] std::uint32_t channel_count() const noexcept { return channel_count_; }

 private:
  const float* const* channels_ = nullptr;
  std::uint32_t channel_count_ = 0;
};

}  // namespace pypac
