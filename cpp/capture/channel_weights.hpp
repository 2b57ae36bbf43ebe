// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace pypac {

inline constexpr std::uint32_t kMaxSourceChannels = 8;

/// How loud one channel of a program is in each channel of a source.
using ChannelWeights = std::array<float, kMaxSourceChannels>;

/// [any-thread] The weights of a channel at `position` ("FL", "MONO", "AUX3") in a source of
/// `channels`.
///
/// Stereo stays as it is, bit for bit. Mono goes to both sides; the centre and the surrounds go
/// into stereo as ITU-R BS.775 mixes them (0.7071), the LFE is left out; unplaced channels (AUX)
/// alternate. Sources of 3 to 8 channels are laid out FL FR FC LFE RL RR SL SR, without those that
/// do not exist.
[[nodiscard]] ChannelWeights channel_weights(std::string_view position,
                                             std::uint32_t channels) noexcept;

}  // namespace pypac
