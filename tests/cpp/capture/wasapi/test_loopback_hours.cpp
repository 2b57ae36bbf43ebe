// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdio>

#include "loopback_hours.hpp"

// `make bench` has a whole day.
#ifdef NDEBUG
constexpr double kHours = 0.25;
#else
constexpr double kHours = 0.1;
#endif

TEST_CASE("hours of a Windows program stay within a millisecond of their place") {
  const pypac::test::LoopbackHours found = pypac::test::run_loopback_hours(kHours);
  std::printf("%.2f h: worst %.3f ms, RMS %.3f ms; %zu incidents\n", kHours, found.worst_ms,
              found.rms_ms, found.incidents);
  CHECK(found.worst_ms < 1);
  CHECK(found.heard > 0.99);
  CHECK(found.incidents >= 2);  // before its first frame, and the jump
  CHECK(found.silent_frames == doctest::Approx(found.lost_frames).epsilon(0.01));
  CHECK(found.allocations == 0);
}
