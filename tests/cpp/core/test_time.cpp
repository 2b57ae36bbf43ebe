// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>

#include "core/host_clock.hpp"
#include "core/time.hpp"

using namespace pypac;
using namespace std::chrono_literals;

TEST_CASE("host time and timeline agree after days, to the nanosecond") {
  const TimelineAnchor anchor{123'456'789ns, 44100};
  const Frames four_days = Frames{44100} * 86400 * 4 + 17;
  CHECK(anchor.position_of(anchor.host_time_of(four_days)) ==
        doctest::Approx(static_cast<double>(four_days)).epsilon(1e-12));
  CHECK(anchor.host_time_of(44100) == anchor.origin + 1s);
  CHECK(anchor.host_time_of(-44100) == anchor.origin - 1s);
}

TEST_CASE("the system clock never goes back and sleeps until the time it is told") {
  SystemClock clock;
  const HostTime before = clock.now();
  clock.sleep_until(before + 5ms);
  CHECK(clock.now() >= before + 5ms);
}

TEST_CASE("the system clock is the one of the C++ library, in nanoseconds") {
  using Steady = std::chrono::steady_clock;
  const auto steady = [] {
    return std::chrono::duration_cast<HostTime>(Steady::now().time_since_epoch());
  };
  const SystemClock clock;
  for (int round = 0; round < 1000; ++round) {
    const HostTime before = steady();
    const HostTime now = clock.now();
    // The two round ticks to nanoseconds each in its own way.
    CHECK(now >= before - 1us);
    CHECK(now <= steady() + 1us);
  }
}

TEST_CASE("gotcha 11: ticks of any rate are nanoseconds after months as well") {
  constexpr std::int64_t kDay = 86400;
  // Windows 10's, an invariant TSC's, the ACPI timer's, the HPET's.
  for (const std::int64_t rate : {10'000'000, 24'000'000, 3'579'545, 14'318'180}) {
    CAPTURE(rate);
    CHECK(time_of_ticks(1, rate).count() == 1'000'000'000 / rate);
    CHECK(time_of_ticks(100 * kDay * rate, rate) == 100 * kDay * 1s);
    CHECK(time_of_ticks(100 * kDay * rate - 1, rate).count() ==
          (100 * kDay - 1) * 1'000'000'000 + (rate - 1) * 1'000'000'000 / rate);
  }
}

TEST_CASE("a manual clock stands still until it is moved") {
  ManualClock clock(1s);
  CHECK(clock.now() == 1s);
  clock.sleep_until(3s);
  CHECK(clock.now() == 3s);
  clock.sleep_until(2s);
  CHECK(clock.now() == 3s);
  clock.advance(1s);
  CHECK(clock.now() == 4s);
}
