// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <memory>
#include <numbers>
#include <span>
#include <vector>

#include "filters/leveller.hpp"

using namespace pypac;

namespace {

using Track = std::array<std::vector<float>, 2>;

std::unique_ptr<Leveller> made(double target_lufs) {
  auto leveller = std::make_unique<Leveller>();
  const std::array<double, 6> values{target_lufs, 1000, -50, 10, 20, 20};
  leveller->activate({48000, 2, 480, values});
  return leveller;
}

Track tone(double hz, std::size_t frames) {
  Track track;
  for (auto& channel : track)
    for (std::size_t i = 0; i < frames; ++i)
      channel.push_back(static_cast<float>(
          0.05 * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / 48000)));
  return track;
}

}  // namespace

TEST_CASE("levellers in a bank give what each gives alone, also where their steps differ") {
  constexpr std::uint32_t kFrames = 2 * 48000;
  constexpr std::size_t kTracks = 40;  // more channels than are measured at once
  std::vector<Track> together;
  std::vector<std::unique_ptr<Leveller>> bank;
  for (std::size_t t = 0; t < kTracks; ++t) {
    together.push_back(tone(100.0 * static_cast<double>(t + 1), kFrames));
    bank.push_back(made(-20.0 - static_cast<double>(t % 5)));
  }
  const std::vector<Track> input = together;
  const auto process = [](std::span<Filter* const> filters, std::span<Track* const> tracks,
                          std::uint32_t begin, std::uint32_t frames) {
    std::vector<std::array<float*, 2>> pointers(tracks.size());
    std::vector<ProcessContext> contexts(tracks.size());
    for (std::size_t i = 0; i < tracks.size(); ++i) {
      pointers[i] = {(*tracks[i])[0].data() + begin, (*tracks[i])[1].data() + begin};
      contexts[i].audio = {pointers[i].data(), 2, frames};
    }
    filters[0]->process_bank(filters, contexts);
  };
  // One of them has been there for longer, so that its steps end elsewhere.
  std::array<float, 100> early{};
  std::array<float*, 2> early_channels{early.data(), early.data()};
  bank[1]->process({{early_channels.data(), 2, 100}, {}, {}, 0});

  std::vector<Filter*> filters;
  std::vector<Track*> tracks;
  for (std::size_t t = 0; t < kTracks; ++t) {
    filters.push_back(bank[t].get());
    tracks.push_back(&together[t]);
  }
  for (std::uint32_t begin = 0; begin < kFrames; begin += 480) process(filters, tracks, begin, 480);

  for (const std::size_t t : {0, 1, 2, 39}) {
    auto alone = made(-20.0 - static_cast<double>(t % 5));
    if (t == 1) alone->process({{early_channels.data(), 2, 100}, {}, {}, 0});
    Track track = input[t];
    Filter* const filter = alone.get();
    Track* const one = &track;
    for (std::uint32_t begin = 0; begin < kFrames; begin += 480)
      process({&filter, 1}, {&one, 1}, begin, 480);
    CHECK(track == together[t]);
    CHECK(track != input[t]);
  }
}

TEST_CASE("a leveller that is reset begins at 0 dB again") {
  const auto leveller = made(-10);
  Track track = tone(1000, 2 * 48000);
  const Track input = track;
  const auto run = [&] {
    track = input;
    float* const channels[] = {track[0].data(), track[1].data()};
    leveller->process({{channels, 2, 2 * 48000}, {}, {}, 0});
  };
  run();
  const Track first = track;
  run();
  CHECK(track[0][4800] != input[0][4800]);
  leveller->reset();
  run();
  CHECK(track == first);
  CHECK(track[0][4800] == input[0][4800]);
}
