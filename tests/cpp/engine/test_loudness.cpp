// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numbers>
#include <vector>

#include "allocation_counter.hpp"
#include "core/thread_role.hpp"
#include "engine/loudness.hpp"
#include "engine/loudness_histogram.hpp"

using namespace pypac;

namespace {

/// Two channels of something that becomes louder and quieter.
std::vector<std::vector<float>> programme(std::size_t frames, double hz) {
  std::vector<std::vector<float>> channels(2, std::vector<float>(frames));
  for (std::size_t i = 0; i < frames; ++i) {
    const double at = static_cast<double>(i) / 48000;
    const double level = std::pow(10.0, -2 + std::sin(2 * at));
    const double tone = std::sin(2 * std::numbers::pi * hz * at);
    channels[0][i] = static_cast<float>(level * tone);
    channels[1][i] = static_cast<float>(0.5 * level * tone);
  }
  return channels;
}

struct Played {
  std::vector<const float*> channels;

  Played(const std::vector<std::vector<float>>& audio, std::size_t begin) {
    for (const auto& channel : audio) channels.push_back(channel.data() + begin);
  }
  [[nodiscard]] BlockView view() const {
    return {channels.data(), static_cast<std::uint32_t>(channels.size())};
  }
};

std::vector<float> numbers(const LoudnessMeter& meter) {
  const LoudnessValues values = meter.values();
  return {values.max_true_peak, values.momentary,     values.short_term,    values.integrated,
          values.range,         values.max_momentary, values.max_short_term};
}

}  // namespace

TEST_CASE("blocks of any length, alone and beside others, read the same bit for bit") {
  constexpr std::size_t kFrames = 6 * 48000;
  std::vector<std::vector<std::vector<float>>> audio;
  for (const double hz : {100.0, 997.0, 3000.0, 9000.0}) audio.push_back(programme(kFrames, hz));
  std::vector<std::vector<float>> expected;
  for (const std::size_t block : {480, 4800, 64, 7}) {
    std::vector<std::unique_ptr<LoudnessMeter>> meters;
    for (std::size_t i = 0; i < audio.size(); ++i)
      meters.push_back(std::make_unique<LoudnessMeter>(48000, 2, 4800));
    for (std::size_t begin = 0; begin < kFrames; begin += block) {
      const std::size_t frames = std::min(block, kFrames - begin);
      std::vector<Played> played;
      for (const auto& one : audio) played.emplace_back(one, begin);
      std::vector<LoudnessMeter::Input> inputs;
      for (std::size_t i = 0; i < audio.size(); ++i)
        inputs.push_back({meters[i].get(), played[i].view()});
      // Alone where blocks are of 480, side by side else.
      if (block == 480)
        for (const auto& input : inputs)
          LoudnessMeter::process({&input, 1}, static_cast<std::uint32_t>(frames));
      else
        LoudnessMeter::process(inputs, static_cast<std::uint32_t>(frames));
    }
    for (std::size_t i = 0; i < audio.size(); ++i) {
      if (block == 480)
        expected.push_back(numbers(*meters[i]));
      else
        CHECK(numbers(*meters[i]) == expected[i]);
    }
  }
  CHECK(expected[1][3] > -30);
  CHECK(expected[1][3] < -10);
}

TEST_CASE("meters that came at other times stand beside each other") {
  const auto audio = programme(2 * 48000, 997);
  LoudnessMeter first(48000, 2, 480);
  LoudnessMeter second(48000, 2, 480);
  LoudnessMeter alone(48000, 2, 480);
  for (std::size_t begin = 0; begin + 100 <= 48000; begin += 100) {
    const Played played(audio, begin);
    std::vector<LoudnessMeter::Input> inputs{{&first, played.view()}};
    // 700 frames later it begins in the middle of the first one's step.
    if (begin >= 700) inputs.push_back({&second, played.view()});
    LoudnessMeter::process(inputs, 100);
    const LoudnessMeter::Input third{&alone, played.view()};
    if (begin >= 700) LoudnessMeter::process({&third, 1}, 100);
  }
  CHECK(numbers(second) == numbers(alone));
  CHECK(numbers(first) != numbers(second));
}

TEST_CASE("a meter allocates nothing while it reads") {
  const auto audio = programme(5 * 48000, 997);
  LoudnessMeter meter(48000, 2, 480);
  const std::size_t before = test::realtime_allocations();
  {
    const ScopedThreadRole role(ThreadRole::pump);
    for (std::size_t begin = 0; begin + 480 <= 5 * 48000; begin += 480) {
      const float* const channels[] = {audio[0].data() + begin, audio[1].data() + begin};
      const LoudnessMeter::Input input{&meter, {channels, 2}};
      LoudnessMeter::process({&input, 1}, 480);
      if (begin == 480 * 100) meter.restart();
    }
  }
  CHECK(test::realtime_allocations() == before);
  CHECK(meter.values().range > 0.1);
}

TEST_CASE("a histogram of loudness gates, and rounds nothing") {
  LoudnessHistogram histogram;
  CHECK(histogram.gated_energy() == 0);
  CHECK(histogram.range_lu() == 0);
  for (int i = 0; i < 100; ++i) histogram.add(energy_from_lufs(-22.993));
  for (int i = 0; i < 100; ++i) histogram.add(energy_from_lufs(-70.1));
  CHECK(lufs_from_energy(histogram.gated_energy()) == doctest::Approx(-22.993).epsilon(1e-6));
  CHECK(histogram.range_lu() == doctest::Approx(0));
  for (int i = 0; i < 100; ++i) histogram.add(energy_from_lufs(-45));
  CHECK(lufs_from_energy(histogram.gated_energy()) == doctest::Approx(-22.993).epsilon(1e-6));
  for (int i = 0; i < 100; ++i) histogram.add(energy_from_lufs(-30));
  CHECK(histogram.range_lu() == doctest::Approx(22.007).epsilon(1e-4));
  histogram.clear();
  CHECK(histogram.gated_energy() == 0);
}

TEST_CASE("a program's absurd sample does not end the integrated loudness") {
  LoudnessHistogram histogram;
  for (int i = 0; i < 100; ++i) histogram.add(energy_from_lufs(-20));
  histogram.add(energy_from_lufs(110));
  CHECK(lufs_from_energy(histogram.gated_energy()) == doctest::Approx(110).epsilon(1e-6));
}
