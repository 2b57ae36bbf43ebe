// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <initializer_list>

#include "capture/channel_weights.hpp"

using pypac::channel_weights;
using pypac::ChannelWeights;

namespace {

ChannelWeights weights(std::initializer_list<float> values) {
  ChannelWeights all{};
  std::size_t i = 0;
  for (const float value : values) all[i++] = value;
  return all;
}

constexpr float kHalfPower = 0.70710678F;

}  // namespace

TEST_CASE("stereo passes as it is") {
  CHECK(channel_weights("FL", 2) == weights({1, 0}));
  CHECK(channel_weights("FR", 2) == weights({0, 1}));
}

TEST_CASE("mono goes to both sides") {
  CHECK(channel_weights("MONO", 2) == weights({1, 1}));
}

TEST_CASE("surround is mixed into stereo by BS.775, without the LFE") {
  CHECK(channel_weights("FC", 2) == weights({kHalfPower, kHalfPower}));
  CHECK(channel_weights("SL", 2) == weights({kHalfPower, 0}));
  CHECK(channel_weights("RR", 2) == weights({0, kHalfPower}));
  CHECK(channel_weights("LFE", 2) == weights({0, 0}));
}

TEST_CASE("channels without a place alternate") {
  CHECK(channel_weights("AUX0", 2) == weights({1, 0}));
  CHECK(channel_weights("AUX1", 2) == weights({0, 1}));
  CHECK(channel_weights("AUX62", 2) == weights({1, 0}));
}

TEST_CASE("a mono source is the mean of both sides") {
  CHECK(channel_weights("FL", 1) == weights({0.5F}));
  CHECK(channel_weights("FR", 1) == weights({0.5F}));
  CHECK(channel_weights("MONO", 1) == weights({1}));
}

TEST_CASE("5.1 keeps its channels, whether its surrounds are called side or rear") {
  CHECK(channel_weights("LFE", 6) == weights({0, 0, 0, 1}));
  CHECK(channel_weights("RL", 6) == weights({0, 0, 0, 0, 1}));
  CHECK(channel_weights("SL", 6) == weights({0, 0, 0, 0, 1}));
  CHECK(channel_weights("SL", 8) == weights({0, 0, 0, 0, 0, 0, 1}));
  CHECK(channel_weights("MONO", 6) == weights({1, 1}));
}

TEST_CASE("there are no sources without channels or with more than eight") {
  CHECK(channel_weights("FL", 0) == ChannelWeights{});
  CHECK(channel_weights("FL", 9) == ChannelWeights{});
}
