// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/status.hpp"
#include "filters/gain.hpp"

using namespace pypac;

namespace {

std::vector<float> process(Gain& gain, std::vector<float> samples) {
  float* channel = samples.data();
  gain.process({&channel, 1, static_cast<std::uint32_t>(samples.size())});
  return samples;
}

}  // namespace

TEST_CASE("0 dB passes bit for bit and -6.0206 dB halves") {
  Gain gain;
  gain.set_parameter("gain_db", 0);
  gain.activate(48000, 1, 64);
  CHECK(process(gain, {0.1F, -0.7F, 1e-20F}) == std::vector<float>{0.1F, -0.7F, 1e-20F});
  gain.deactivate();
  gain.set_parameter("gain_db", -20 * std::log10(2.0));
  gain.activate(48000, 1, 64);
  for (const float sample : process(gain, {1.0F, 1.0F, 1.0F}))
    CHECK(sample == doctest::Approx(0.5));
}

TEST_CASE("a change while playing glides over one block, without a step") {
  Gain gain;
  gain.activate(48000, 1, 64);
  gain.set_parameter("gain_db", -200);
  const std::vector<float> block = process(gain, std::vector<float>(64, 1.0F));
  float largest_step = 1.0F - block[0];
  for (std::size_t i = 1; i < block.size(); ++i)
    largest_step = std::max(largest_step, block[i - 1] - block[i]);
  CHECK(largest_step < 1.01F / 64);
  CHECK(block.back() == doctest::Approx(0).epsilon(1e-6));
  CHECK(process(gain, {1.0F})[0] == doctest::Approx(1e-10));
}

TEST_CASE("an unknown parameter and a value that is no number are refused") {
  Gain gain;
  CHECK_THROWS_AS(gain.set_parameter("volume", 1), Failure);
  CHECK_THROWS_AS(gain.set_parameter("gain_db", std::numeric_limits<double>::quiet_NaN()), Failure);
}
