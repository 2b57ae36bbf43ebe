// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "dsp/envelope.hpp"
#include "dsp/wide_lanes.hpp"

using namespace pypac;

namespace pypac::portable {
const EnvelopeKernels& envelope_kernels() noexcept;
}

namespace {

std::vector<float> noise(std::size_t frames, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> samples(frames);
  for (float& one : samples) one = static_cast<float>(random()) / 4294967296.0F * 2 - 1;
  return samples;
}

/// All kernels one behind the other, in blocks of that length.
std::vector<float> run(const EnvelopeKernels& kernels, std::size_t block) {
  constexpr std::size_t kSeries = 11;
  constexpr std::size_t kFrames = 1000;
  std::vector<std::vector<float>> left;
  std::vector<std::vector<float>> right;
  std::vector<Follower> means(kSeries);
  std::vector<Follower> followers(kSeries);
  std::vector<Follower> gains(kSeries);
  std::vector<GateRamp> ramps(kSeries);
  for (std::size_t s = 0; s < kSeries; ++s) {
    left.push_back(noise(kFrames, static_cast<unsigned>(s)));
    right.push_back(noise(kFrames, static_cast<unsigned>(s + 100)));
    means[s].rise = means[s].fall = 0.99F;
    followers[s].rise = s % 3 == 0 ? 0.999F : 0.9F;
    followers[s].fall = 0.99F;
    gains[s] = followers[s];
    ramps[s] = {.open_above = 0.4F,
                .close_below = 0.3F,
                .slack = 0.01F,
                .hold = static_cast<float>(s),
                .up = GateRamp::kOpen / 100,
                .down = GateRamp::kOpen / 50};
  }
  const LevelCurve from{.threshold = -2, .slope = -0.5F};
  const LevelCurve to{.threshold = -3, .half_knee = 1, .knee_share = 0.25F, .slope = -0.9F};
  const GainStage gain{.dry = 0.2F, .wet = 0.8F};
  std::vector<float> all;
  for (std::size_t at = 0; at < kFrames; at += block) {
    const std::size_t some = std::min(block, kFrames - at);
    std::vector<std::vector<float>> levels(kSeries, std::vector<float>(some));
    std::vector<std::vector<float>> shares;
    std::vector<Follower*> mean_list;
    std::vector<Follower*> follower_list;
    std::vector<Follower*> gain_list;
    std::vector<GateRamp*> ramp_list;
    for (std::size_t s = 0; s < kSeries; ++s) {
      const float* const channels[] = {left[s].data() + at, right[s].data() + at};
      kernels.loudest(levels[s].data(), channels, 2, false, some);
    }
    shares = levels;
    for (std::size_t s = 0; s < kSeries; ++s) {
      means[s].values = followers[s].values = levels[s].data();
      ramps[s].values = shares[s].data();
      mean_list.push_back(&means[s]);
      follower_list.push_back(&followers[s]);
      gain_list.push_back(&gains[s]);
      ramp_list.push_back(&ramps[s]);
    }
    kernels.root_mean(mean_list.data(), kSeries, some);
    kernels.follow(follower_list.data(), kSeries, some);
    kernels.ramp(ramp_list.data(), kSeries, some);
    for (std::size_t s = 0; s < kSeries; ++s) {
      kernels.curve(levels[s].data(), {&from, &to, static_cast<float>(at + 1), 1.0F / kFrames},
                    some);
      gains[s].values = levels[s].data();
    }
    kernels.follow_exactly(gain_list.data(), kSeries, some);
    for (std::size_t s = 0; s < kSeries; ++s) {
      kernels.gain_of_log(levels[s].data(), {nullptr, &gain, 0, 0}, some);
      kernels.gain_of_share(shares[s].data(), {nullptr, &gain, 0, 0}, some);
      kernels.scale(left[s].data() + at, levels[s].data(), some);
      kernels.scale(right[s].data() + at, shares[s].data(), some);
    }
  }
  for (std::size_t s = 0; s < kSeries; ++s) {
    all.insert(all.end(), left[s].begin(), left[s].end());
    all.insert(all.end(), right[s].begin(), right[s].end());
  }
  return all;
}

}  // namespace

TEST_CASE("all builds, and blocks of any length, give the same bits") {
  const std::vector<float> whole = run(narrow::envelope_kernels(), 1000);
  for (const std::size_t block : {1, 7, 64, 480})
    CHECK(run(narrow::envelope_kernels(), block) == whole);
  for (const std::size_t block : {7, 1000})
    CHECK(run(portable::envelope_kernels(), block) == whole);
  if (!has_wide_lanes()) return;
  for (const std::size_t block : {1, 7, 64, 1000})
    CHECK(run(PYPAC_WIDE(envelope_kernels)(), block) == whole);
}

TEST_CASE("a follower goes 63 % of its way in its time, up and down") {
  for (const double rise_ms : {1.0, 50.0}) {
    Follower follower{.rise = follower_coefficient(rise_ms, 48000),
                      .fall = follower_coefficient(20, 48000)};
    Follower* const list[] = {&follower};
    std::vector<float> values(48000, 1.0F);
    std::fill(values.begin() + 24000, values.end(), 0.0F);
    follower.values = values.data();
    chosen_envelope_kernels().follow(list, 1, values.size());
    CHECK(values[static_cast<std::size_t>(rise_ms * 48) - 1] == doctest::Approx(1 - std::exp(-1)));
    CHECK(values[23999] == doctest::Approx(1).epsilon(1e-3));
    CHECK(values[24000 + 960 - 1] == doctest::Approx(std::exp(-1)).epsilon(1e-3));
  }
}

TEST_CASE("what is no number is no level, and nothing is louder than 60 dBFS") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> left{nan, 0.5F, -infinity, 1e30F, nan};
  const std::vector<float> right{0.25F, nan, 0.5F, 0.5F, nan};
  const float* const channels[] = {left.data(), right.data()};
  std::vector<float> level(5, -1.0F);
  chosen_envelope_kernels().loudest(level.data(), channels, 2, false, 5);
  CHECK(level == std::vector<float>{0.25F, 0.5F, 1024, 1024, 0});
  std::vector<float> sane(5);
  chosen_envelope_kernels().copy_sane(sane.data(), left.data(), 5);
  CHECK(sane == std::vector<float>{0, 0.5F, 0, 0, 0});
}
