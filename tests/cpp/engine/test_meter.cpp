// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "engine/meter.hpp"

using namespace pypac;

namespace {

void feed(Meter& meter, float amplitude, std::uint32_t frames) {
  std::vector<float> samples(480);
  const float* channels[] = {samples.data(), samples.data()};
  for (std::uint32_t done = 0; done < frames; done += 480) {
    for (std::uint32_t i = 0; i < 480; ++i)
      samples[i] = amplitude *
                   static_cast<float>(std::sin(2 * std::numbers::pi * 1000 * (done + i) / 48000.0));
    meter.process(channels, 2, 480);
  }
}

}  // namespace

TEST_CASE("a full-scale sine reads peak 1 and RMS -3.01 dB") {
  Meter meter(48000);
  feed(meter, 1.0F, 48000 * 3);
  CHECK(meter.peak() == doctest::Approx(1.0).epsilon(1e-4));
  CHECK(meter.rms() == doctest::Approx(std::sqrt(0.5)).epsilon(1e-3));
  CHECK(meter.max_peak() == doctest::Approx(1.0).epsilon(1e-4));
}

TEST_CASE("the peak falls 20 dB in 1.7 s of silence, and silence is counted") {
  Meter meter(48000);
  feed(meter, 1.0F, 48000);
  feed(meter, 0.0F, 48000 * 17 / 10);
  CHECK(meter.peak() == doctest::Approx(0.1).epsilon(1e-3));
  CHECK(meter.silent_frames() == 48000 * 17 / 10);
  CHECK(meter.max_peak() == doctest::Approx(1.0).epsilon(1e-4));
  feed(meter, 0.5F, 480);
  CHECK(meter.silent_frames() == 0);
}

TEST_CASE("a NaN is over when it is over, and a follower shows the same") {
  Meter meter(48000);
  std::vector<float> samples(480, std::nanf(""));
  const float* channels[] = {samples.data()};
  meter.process(channels, 1, 480);
  feed(meter, 1.0F, 48000 * 3);
  CHECK(meter.rms() == doctest::Approx(std::sqrt(0.5)).epsilon(1e-3));
  Meter follower(48000);
  follower.follow(meter);
  CHECK(follower.peak() == meter.peak());
  CHECK(follower.rms() == meter.rms());
  CHECK(follower.max_peak() == meter.max_peak());
}
