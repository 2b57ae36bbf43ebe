// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "capture/channel_weights.hpp"

namespace pypac {

/// [any-thread] Which inputs of a device a source takes, counted from 1; empty: all of them, each
/// where its position is.
///
/// `wanted` is what the profile says; `positions` are those of the device's inputs, in order. By
/// default it is all, but of inputs without a place (AUX) the first: an interface has a microphone
/// there, and on the others an instrument, nothing, or what the computer itself plays.
///
/// Example: AUX0 AUX1 gives {1}, FL FR gives {}, and {3, 4} of two inputs gives {3, 4}.
[[nodiscard]] std::vector<std::uint32_t> taken_inputs(std::span<const std::uint32_t> wanted,
                                                      std::span<const std::string> positions);

/// [any-thread] The weights of one of the inputs that are taken, `place` of `count`, in a source of
/// `channels`: one alone is heard on both sides, of two the first left and the second right.
[[nodiscard]] ChannelWeights input_weights(std::size_t place, std::size_t count,
                                           std::uint32_t channels) noexcept;

}  // namespace pypac
