// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cmath>

#include "simulated_clock.hpp"
#include "timeline/clock_model.hpp"

using namespace pypac;
using namespace pypac::test;
using namespace std::chrono_literals;
using Verdict = ClockModel::Verdict;

namespace {

ClockModel after(SimulatedClock& clock, double seconds) {
  ClockModel model;
  model.reset(48000);
  while (clock.true_seconds() < seconds) {
    const ClockReading reading = clock.next();
    model.add(reading.position, reading.host_time);
  }
  return model;
}

}  // namespace

TEST_CASE("the model finds skew and offset") {
  for (const double ppm : {-500.0, -3.0, 0.0, 200.0}) {
    SimulatedClock clock(48000, 1024, ppm, 0);
    const ClockModel model = after(clock, 60);
    const ClockReading reading = clock.next();
    CHECK(model.slope() == doctest::Approx(1 / (1 + ppm * 1e-6) - 1).epsilon(1e-4).scale(1e-5));
    CHECK(std::abs(model.deviation(reading.position, reading.host_time)) < 1e-8);
  }
}

TEST_CASE("the model knows its own error") {
  double position_score = 0;
  double slope_score = 0;
  constexpr int kRuns = 40;
  for (int run = 0; run < kRuns; ++run) {
    SimulatedClock clock(48000, 1024, 50, 0.5e-3, static_cast<std::uint32_t>(run));
    const ClockModel model = after(clock, 120);
    const std::int64_t newest = 123456 + std::llround(clock.true_seconds() * 48000 * (1 + 50e-6));
    const double error = model.seconds_at(newest, SimulatedClock::kStart) - clock.true_seconds();
    position_score += std::pow(error / model.position_error(), 2) / kRuns;
    slope_score +=
        std::pow((model.slope() - (1 / (1 + 50e-6) - 1)) / model.slope_error(), 2) / kRuns;
    CHECK(model.scatter() == doctest::Approx(0.5e-3).epsilon(0.15));
  }
  CHECK(position_score == doctest::Approx(1).epsilon(0.6));
  CHECK(slope_score == doctest::Approx(1).epsilon(0.6));
}

TEST_CASE("single stamps far off the line change nothing") {
  for (const HostTime off :
       {HostTime(600ms), HostTime(-600ms), HostTime(8h), HostTime(-1000s), HostTime(3ms)}) {
    SimulatedClock clock(48000, 1024, 20, 0);
    ClockModel model = after(clock, 10);
    for (int i = 0; i < 100; ++i) {
      const ClockReading reading = clock.next();
      const bool wrong = i % 3 == 0;
      CHECK(model.add(reading.position, reading.host_time + (wrong ? off : 0ms)) ==
            (wrong ? Verdict::ignored : Verdict::used));
    }
    CHECK(model.slope() == doctest::Approx(-20e-6).epsilon(0.001));
  }
}

TEST_CASE("a slip of 16 ms and back changes nothing, one that stays moves the line") {
  SimulatedClock clock(48000, 1024, 20, 0);
  ClockModel model = after(clock, 10);
  for (int i = 0; i < 7; ++i) {
    const ClockReading reading = clock.next();
    CHECK(model.add(reading.position, reading.host_time + 16ms) == Verdict::ignored);
  }
  ClockReading reading = clock.next();
  CHECK(model.add(reading.position, reading.host_time) == Verdict::used);
  int ignored = 0;
  for (;;) {
    reading = clock.next();
    const Verdict verdict = model.add(reading.position, reading.host_time - 16ms);
    if (verdict == Verdict::stepped) break;
    CHECK(verdict == Verdict::ignored);
    ++ignored;
  }
  // 200 ms of 1024 frames.
  CHECK(ignored == 10);
  CHECK(std::abs(model.deviation(reading.position, reading.host_time - 16ms)) < 1e-6);
  CHECK(model.slope() == doctest::Approx(-20e-6).epsilon(0.001));
}

TEST_CASE("readings off the line that disagree with each other never move it") {
  SimulatedClock clock(48000, 1024, 0, 0);
  ClockModel model = after(clock, 10);
  for (int i = 0; i < 1000; ++i) {
    const ClockReading reading = clock.next();
    CHECK(model.add(reading.position, reading.host_time + (10 + 7 * (i % 5)) * 1ms) ==
          Verdict::ignored);
  }
}
