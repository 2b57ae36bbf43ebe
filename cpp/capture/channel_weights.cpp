// SPDX-License-Identifier: MIT
#include "capture/channel_weights.hpp"

#include <algorithm>
#include <charconv>
#include <span>

namespace pypac {
namespace {

using Position = std::string_view;

// ITU-R BS.775-3, annex 4: centre and surrounds at -3 dB.
constexpr float kHalfPower = 0.70710678F;

constexpr std::array<Position, 3> kThree{"FL", "FR", "FC"};
constexpr std::array<Position, 4> kFour{"FL", "FR", "RL", "RR"};
constexpr std::array<Position, 5> kFive{"FL", "FR", "FC", "RL", "RR"};
constexpr std::array<Position, 6> kSix{"FL", "FR", "FC", "LFE", "RL", "RR"};
constexpr std::array<Position, 7> kSeven{"FL", "FR", "FC", "LFE", "RC", "SL", "SR"};
constexpr std::array<Position, 8> kEight{"FL", "FR", "FC", "LFE", "RL", "RR", "SL", "SR"};

std::span<const Position> layout_of(std::uint32_t channels) noexcept {
  switch (channels) {
    case 3:
      return kThree;
    case 4:
      return kFour;
    case 5:
      return kFive;
    case 6:
      return kSix;
    case 7:
      return kSeven;
    case 8:
      return kEight;
    default:
      return {};
  }
}

struct Sides {
  float left;
  float right;
};

Sides stereo(Position position) noexcept {
  if (position == "FL" || position == "FLC" || position == "FLW") return {1, 0};
  if (position == "FR" || position == "FRC" || position == "FRW") return {0, 1};
  if (position == "MONO") return {1, 1};
  if (position.starts_with("LFE") || position == "LLFE" || position == "RLFE") return {0, 0};
  if (position == "RC") return {kHalfPower * kHalfPower, kHalfPower * kHalfPower};
  // SL, RL, TFL, TRL, TSL, BLC, and their like on the other side.
  if (position.ends_with('L') || position.ends_with("LC")) return {kHalfPower, 0};
  if (position.ends_with('R') || position == "BRC") return {0, kHalfPower};
  if (position.ends_with('C')) return {kHalfPower, kHalfPower};  // FC, TC, TFC, TRC, BC
  return {1, 1};
}

/// 5.1 is called with surrounds at the side or at the rear, for the same two loudspeakers.
Position renamed_for(std::span<const Position> layout, Position position) noexcept {
  const auto has = [&](Position one) { return std::ranges::find(layout, one) != layout.end(); };
  if (has(position)) return position;
  if (position == "SL" && has("RL")) return "RL";
  if (position == "SR" && has("RR")) return "RR";
  if (position == "RL" && has("SL")) return "SL";
  if (position == "RR" && has("SR")) return "SR";
  return position;
}

}  // namespace

ChannelWeights channel_weights(std::string_view position, std::uint32_t channels) noexcept {
  ChannelWeights weights{};
  if (channels == 0 || channels > kMaxSourceChannels) return weights;
  if (position.starts_with("AUX")) {
    std::uint32_t index = 0;
    std::from_chars(position.data() + 3, position.data() + position.size(), index);
    weights[index % channels] = 1;
    return weights;
  }
  const std::span<const Position> layout = layout_of(channels);
  const Position name = renamed_for(layout, position);
  const auto place = std::ranges::find(layout, name);
  if (place != layout.end()) {
    weights[static_cast<std::size_t>(place - layout.begin())] = 1;
    return weights;
  }
  const Sides sides = stereo(position);
  if (channels == 1) {
    // Both sides at half: a mono source never clips where the stereo one did not.
    weights[0] = (sides.left + sides.right) / 2;
  } else {
    weights[0] = sides.left;
    weights[1] = sides.right;
  }
  return weights;
}

}  // namespace pypac
