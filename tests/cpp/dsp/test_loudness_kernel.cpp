// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cmath>
#include <complex>
#include <cstdint>
#include <numbers>
#include <vector>

#include "dsp/loudness.hpp"
#include "dsp/loudness_kernel.hpp"
#include "dsp/sliding_sum.hpp"
#include "dsp/wide_lanes.hpp"

namespace pypac::portable {
void weigh(const KWeighting& weighting, LoudnessLane* const* lanes, std::size_t count,
           std::uint32_t frames) noexcept;
}

using namespace pypac;

namespace {

using Kernel = void (*)(const KWeighting&, LoudnessLane* const*, std::size_t,
                        std::uint32_t) noexcept;

std::vector<std::vector<float>> noise(std::size_t channels, std::size_t frames) {
  std::vector<std::vector<float>> all(channels, std::vector<float>(frames));
  std::uint32_t random = 1;
  for (auto& channel : all)
    for (float& sample : channel) {
      random = random * 1664525 + 1013904223;
      sample = static_cast<float>(static_cast<std::int32_t>(random)) / 2147483648.0F;
    }
  return all;
}

/// All that a kernel leaves in its lanes, having read blocks of that length.
std::vector<float> run(Kernel kernel, const std::vector<std::vector<float>>& audio,
                       std::uint32_t block) {
  std::vector<LoudnessLane> lanes(audio.size(), LoudnessLane{});
  std::vector<LoudnessLane*> pointers;
  for (std::size_t c = 0; c < audio.size(); ++c) {
    lanes[c].samples = audio[c].data();
    pointers.push_back(&lanes[c]);
  }
  const auto frames = static_cast<std::uint32_t>(audio[0].size());
  for (std::uint32_t done = 0; done < frames; done += block)
    kernel(k_weighting(48000), pointers.data(), pointers.size(), std::min(block, frames - done));
  std::vector<float> all;
  for (std::size_t c = 0; c < audio.size(); ++c) {
    CHECK(lanes[c].samples == audio[c].data() + frames);
    all.push_back(lanes[c].sum_of_squares);
    all.insert(all.end(), std::begin(lanes[c].state), std::end(lanes[c].state));
  }
  return all;
}

}  // namespace

TEST_CASE("K-weighting is BS.1770's at 48 kHz") {
  // Tables 1 and 2, and the level of its high-pass, whose numerator is 1 -2 1.
  const KWeighting weighting = k_weighting(48000);
  CHECK(weighting.b0 == doctest::Approx(1.53512485958697).epsilon(1e-6));
  CHECK(weighting.b1 == doctest::Approx(-2.69169618940638).epsilon(1e-6));
  CHECK(weighting.b2 == doctest::Approx(1.19839281085285).epsilon(1e-6));
  CHECK(weighting.a1 == doctest::Approx(-1.69065929318241).epsilon(1e-6));
  CHECK(weighting.a2 == doctest::Approx(0.73248077421585).epsilon(1e-6));
  for (const double hz : {20.0, 38.0, 100.0, 1000.0, 10000.0}) {
    const double w = 2 * std::numbers::pi * hz / 48000;
    const auto z = std::polar(1.0, -w);
    const auto shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z * z) /
                       (1.0 - 1.69065929318241 * z + 0.73248077421585 * z * z);
    const auto high =
        (1.0 - 2.0 * z + z * z) / (1.0 - 1.99004745483398 * z + 0.99007225036621 * z * z);
    std::vector<std::vector<float>> audio(1, std::vector<float>(96000));
    for (std::size_t i = 0; i < audio[0].size(); ++i)
      audio[0][i] = static_cast<float>(std::sin(w * static_cast<double>(i)));
    const double all = run(narrow::weigh, audio, 480)[0];
    audio[0].resize(48000);  // how the filters begin is no part of it
    const double measured = (all - run(narrow::weigh, audio, 480)[0]) / 48000 * 2;
    CHECK(std::fabs(10 * std::log10(measured) - 20 * std::log10(std::abs(shelf * high))) < 0.01);
  }
}

TEST_CASE("lanes give the same bits in any width, company and length of blocks") {
  const auto audio = noise(11, 4801);
  const std::vector<float> whole = run(narrow::weigh, audio, 4801);
  for (const std::uint32_t block : {1U, 7U, 64U, 480U, 4800U})
    CHECK(run(narrow::weigh, audio, block) == whole);
  for (std::size_t c = 0; c < audio.size(); ++c) {
    const std::vector<float> alone = run(narrow::weigh, {audio[c]}, 480);
    CHECK(
        std::equal(alone.begin(), alone.end(), whole.begin() + static_cast<std::ptrdiff_t>(5 * c)));
  }
  CHECK(run(portable::weigh, audio, 480) == whole);
  if (has_wide_lanes())
    for (const std::uint32_t block : {1U, 7U, 64U, 480U, 4800U})
      CHECK(run(PYPAC_WIDE(weigh), audio, block) == whole);
}

TEST_CASE("a sliding sum is that of the last values, and rounding does not gather in it") {
  SlidingSum sum(3);
  for (const double value : {1.0, 2.0, 4.0, 8.0}) sum.add(value);
  CHECK(sum.sum() == 14);
  CHECK(sum.seen() == 3);
  sum.add(1e20);
  for (int i = 0; i < 6; ++i) sum.add(1e-3);
  CHECK(sum.sum() == doctest::Approx(3e-3));
  sum.clear();
  CHECK(sum.sum() == 0);
  CHECK(sum.seen() == 0);
}
