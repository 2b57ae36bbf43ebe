// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "capture/input_channels.hpp"

using pypac::ChannelWeights;
using pypac::input_weights;
using pypac::taken_inputs;

using Inputs = std::vector<std::uint32_t>;
using Positions = std::vector<std::string>;

TEST_CASE("inputs that have no place are not mixed: by default the first is taken") {
  CHECK(taken_inputs(Inputs{}, Positions{"AUX0", "AUX1"}) == Inputs{1});
  CHECK(taken_inputs(Inputs{}, Positions{"AUX0"}) == Inputs{1});
  CHECK(taken_inputs(Inputs{}, Positions{"FL", "FR"}).empty());
  CHECK(taken_inputs(Inputs{}, Positions{"MONO"}).empty());
  CHECK(taken_inputs(Inputs{}, Positions{}).empty());
}

TEST_CASE("what the profile names is taken, also where the device has no such input") {
  CHECK(taken_inputs(Inputs{3, 4}, Positions{"AUX0", "AUX1"}) == Inputs{3, 4});
  CHECK(taken_inputs(Inputs{2}, Positions{"FL", "FR"}) == Inputs{2});
}

TEST_CASE("one input is heard on both sides at its full level, two are left and right") {
  CHECK(input_weights(0, 1, 2) == ChannelWeights{1, 1});
  CHECK(input_weights(0, 2, 2) == ChannelWeights{1, 0});
  CHECK(input_weights(1, 2, 2) == ChannelWeights{0, 1});
  CHECK(input_weights(0, 1, 1) == ChannelWeights{1});
  CHECK(input_weights(1, 2, 1) == ChannelWeights{0.5F});
}
