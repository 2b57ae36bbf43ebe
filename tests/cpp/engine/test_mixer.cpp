// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <vector>

#include "engine/mixer.hpp"

using namespace pypac;

namespace {

GlideBlock steady(float gain) {
  return {.rest = gain};
}

void fill(BlockBuffer& buffer, const std::vector<std::vector<float>>& channels) {
  for (std::size_t c = 0; c < channels.size(); ++c)
    for (std::size_t i = 0; i < channels[c].size(); ++i) buffer.channels()[c][i] = channels[c][i];
}

std::vector<float> channel(const BlockBuffer& buffer, std::uint32_t c) {
  return {buffer.view().channels()[c], buffer.view().channels()[c] + 3};
}

}  // namespace

TEST_CASE("1,2,3 and 4,5,6 give 5,7,9") {
  BlockBuffer a(1, 3), b(1, 3), track(1, 3);
  fill(a, {{1, 2, 3}});
  fill(b, {{4, 5, 6}});
  Mixer::send(a.view(), steady(1), true, track.block(3));
  Mixer::send(b.view(), steady(1), false, track.block(3));
  CHECK(channel(track, 0) == std::vector<float>{5, 7, 9});
}

TEST_CASE("mono goes into both channels, stereo into mono as its mean, gains multiply") {
  BlockBuffer mono(1, 3), stereo(2, 3);
  fill(mono, {{1, 2, 3}});
  Mixer::send(mono.view(), steady(2), true, stereo.block(3));
  CHECK(channel(stereo, 0) == std::vector<float>{2, 4, 6});
  CHECK(channel(stereo, 1) == std::vector<float>{2, 4, 6});
  fill(stereo, {{1, 1, 1}, {3, 3, 5}});
  Mixer::send(stereo.view(), steady(1), true, mono.block(3));
  CHECK(channel(mono, 0) == std::vector<float>{2, 2, 3});
}

TEST_CASE("channels that the source lacks are silent, not what was there before") {
  BlockBuffer stereo(2, 3), surround(4, 3);
  fill(surround, {{9, 9, 9}, {9, 9, 9}, {9, 9, 9}, {9, 9, 9}});
  fill(stereo, {{1, 2, 3}, {4, 5, 6}});
  Mixer::send(stereo.view(), steady(1), true, surround.block(3));
  CHECK(channel(surround, 1) == std::vector<float>{4, 5, 6});
  CHECK(channel(surround, 3) == std::vector<float>{0, 0, 0});
  Mixer::clear(surround.block(3));
  CHECK(channel(surround, 0) == std::vector<float>{0, 0, 0});
}

TEST_CASE("a gain that glides is applied frame by frame, and then stands") {
  BlockBuffer source(1, 3), track(1, 3);
  fill(source, {{8, 8, 8}});
  const GlideBlock falls{.begin = 1, .step = -0.5F, .frames = 2, .rest = 0};
  Mixer::send(source.view(), falls, true, track.block(3));
  CHECK(channel(track, 0) == std::vector<float>{4, 0, 0});
  Mixer::send(source.view(), falls, false, track.block(3));
  CHECK(channel(track, 0) == std::vector<float>{8, 0, 0});
  Mixer::scale(track.block(3), {.begin = 0, .step = 1, .frames = 1, .rest = 1});
  CHECK(channel(track, 0) == std::vector<float>{8, 0, 0});
}
