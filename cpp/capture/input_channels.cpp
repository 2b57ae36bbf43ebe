// SPDX-License-Identifier: MIT
#include "capture/input_channels.hpp"

#include <algorithm>

namespace pypac {

std::vector<std::uint32_t> taken_inputs(std::span<const std::uint32_t> wanted,
                                        std::span<const std::string> positions) {
  if (!wanted.empty()) return {wanted.begin(), wanted.end()};
  const bool unplaced =
      !positions.empty() && std::ranges::all_of(positions, [](const std::string& position) {
        return position.starts_with("AUX");
      });
  return unplaced ? std::vector<std::uint32_t>{1} : std::vector<std::uint32_t>{};
}

ChannelWeights input_weights(std::size_t place, std::size_t count,
                             std::uint32_t channels) noexcept {
  ChannelWeights weights{};
  if (channels == 1) {
    weights[0] = 1.0F / static_cast<float>(count);
  } else if (count == 1) {
    weights[0] = weights[1] = 1;
  } else if (place < channels) {
    weights[place] = 1;
  }
  return weights;
}

}  // namespace pypac
