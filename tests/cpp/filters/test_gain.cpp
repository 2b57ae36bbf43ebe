// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "filters/gain.hpp"

using namespace pypac;

namespace {

void activate(Gain& gain, double gain_db) {
  gain.activate({48000, 1, 480, std::span(&gain_db, 1)});
}

std::vector<float> process(Gain& gain, std::vector<float> samples,
                           std::span<const ParamChange> changes = {}) {
  float* channel = samples.data();
  gain.process({{&channel, 1, static_cast<std::uint32_t>(samples.size())}, {}, changes, 0});
  return samples;
}

}  // namespace

TEST_CASE("0 dB passes bit for bit and -6.0206 dB halves") {
  Gain gain;
  activate(gain, 0);
  CHECK(process(gain, {0.1F, -0.7F, 1e-20F}) == std::vector<float>{0.1F, -0.7F, 1e-20F});
  gain.deactivate();
  activate(gain, -20 * std::log10(2.0));
  for (const float sample : process(gain, {1.0F, 1.0F, 1.0F}))
    CHECK(sample == doctest::Approx(0.5));
}

TEST_CASE("a change while playing glides over 10 ms, without a step, in blocks of any length") {
  const ParamChange change{0, -120};
  for (const std::size_t block : {7, 64, 480}) {
    Gain gain;
    activate(gain, 0);
    process(gain, {1.0F});
    std::vector<float> all = process(gain, std::vector<float>(block, 1.0F), {&change, 1});
    while (all.size() < 960) {
      const std::vector<float> next = process(gain, std::vector<float>(block, 1.0F));
      all.insert(all.end(), next.begin(), next.end());
    }
    float largest_step = 1.0F - all[0];
    for (std::size_t i = 1; i < all.size(); ++i)
      largest_step = std::max(largest_step, std::fabs(all[i - 1] - all[i]));
    CHECK(largest_step < 1.01F / 480);
    CHECK(all[478] > 1e-3F);
    CHECK(all[480] == doctest::Approx(1e-6));
  }
}

TEST_CASE("a change before anything was heard is there from the first frame") {
  const ParamChange change{0, -20};
  Gain gain;
  activate(gain, 0);
  for (const float sample : process(gain, std::vector<float>(480, 1.0F), {&change, 1}))
    CHECK(sample == doctest::Approx(0.1));
}
