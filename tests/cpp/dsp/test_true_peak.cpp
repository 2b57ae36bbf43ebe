// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "dsp/true_peak.hpp"
#include "dsp/wide_lanes.hpp"

using namespace pypac;

namespace {

/// A sine that fades in and out over 100 ms, as EBU Tech 3341 wants its true peak signals.
std::vector<float> sine(double peak, double cycles_a_frame, double degrees) {
  constexpr int kFrames = 24000;
  constexpr int kFade = 4800;
  std::vector<float> samples(kFrames + 100);
  for (int i = 0; i < kFrames; ++i) {
    const double fade = std::min({1.0, i / double{kFade}, (kFrames - i) / double{kFade}});
    const double angle =
        2 * std::numbers::pi * (cycles_a_frame * i) + degrees * std::numbers::pi / 180;
    samples[i] = static_cast<float>(peak * fade * std::sin(angle));
  }
  return samples;
}

float peak_of(const std::vector<float>& samples, std::uint32_t block_frames, bool only_loudest) {
  TruePeak detector(block_frames);
  float loudest = 0;
  for (std::size_t at = 0; at < samples.size(); at += block_frames) {
    const auto frames =
        static_cast<std::uint32_t>(std::min<std::size_t>(block_frames, samples.size() - at));
    loudest =
        std::max(loudest, detector.process(&samples[at], frames, only_loudest ? loudest : 0.0F));
  }
  return loudest;
}

double db(double amplitude) {
  return 20 * std::log10(amplitude);
}

}  // namespace

TEST_CASE("true peaks of EBU Tech 3341, cases 15 to 19") {
  struct Case {
    double cycles;
    double degrees;
    double peak;
    double expected_db;
  };
  for (const Case& one :
       {Case{1.0 / 4, 0, 0.5, -6}, Case{1.0 / 4, 45, 0.5, -6}, Case{1.0 / 6, 60, 0.5, -6},
        Case{1.0 / 8, 67.5, 0.5, -6}, Case{1.0 / 4, 45, 1.41, 3}}) {
    const double read = db(peak_of(sine(one.peak, one.cycles, one.degrees), 480, false));
    CHECK(read > one.expected_db - 0.4);
    CHECK(read < one.expected_db + 0.2);
  }
}

TEST_CASE(
    "true peaks of sines up to 18 kHz are under-read by no more than fourfold oversampling must") {
  for (double hz = 100; hz <= 18000; hz += 895) {
    const double cycles = hz / 48000;
    const double read = db(peak_of(sine(1, cycles, 17), 480, false));
    CHECK(read < 0.02);
    CHECK(read > db(std::cos(std::numbers::pi * cycles / 4)) - 0.02);
  }
}

TEST_CASE("blocks of any length find the same, and so does looking for the loudest alone") {
  std::mt19937 random(2);
  std::normal_distribution<float> value(0, 0.3F);
  std::vector<float> samples(5000);
  std::ranges::generate(samples, [&] { return value(random); });
  const float expected = peak_of(samples, 5000, false);
  for (const std::uint32_t frames : {1U, 7U, 64U, 480U}) {
    CHECK(peak_of(samples, frames, false) == expected);
    CHECK(peak_of(samples, frames, true) == expected);
  }
}

TEST_CASE("both widths find the same bits") {
  if (!has_wide_lanes()) return;
  std::mt19937 random(3);
  std::normal_distribution<float> value(0, 0.3F);
  std::vector<float> samples(300);
  std::ranges::generate(samples, [&] { return value(random); });
  for (const std::size_t frames : {1, 5, 64, 200}) {
    const float* const from = samples.data() + kTruePeakReach;
    CHECK(narrow::true_peak(from, frames, true_peak_taps(), 0) ==
          PYPAC_WIDE(true_peak)(from, frames, true_peak_taps(), 0));
  }
}

TEST_CASE("what is no number counts as nothing, and is forgotten") {
  TruePeak detector(480);
  std::vector<float> samples(480, 0.25F);
  samples[100] = std::numeric_limits<float>::quiet_NaN();
  CHECK(detector.process(samples.data(), 480) == doctest::Approx(0.25).epsilon(0.2));
  samples[100] = 0.25F;
  static_cast<void>(detector.process(samples.data(), 480));
  CHECK(detector.process(samples.data(), 480) == doctest::Approx(0.25).epsilon(0.001));
  detector.reset();
  const std::vector<float> silence(480);
  CHECK(detector.process(silence.data(), 480) == 0);
}
