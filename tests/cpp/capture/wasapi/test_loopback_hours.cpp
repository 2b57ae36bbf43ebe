// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

#include "loopback_hours.hpp"

namespace {

// `make bench` has a whole day. With sanitizers, which take their time, more in `make test-long`
// only.
#ifdef NDEBUG
constexpr double kShortHours = 0.25;
constexpr double kLongHours = 0.25;
#else
constexpr double kShortHours = 0.05;
constexpr double kLongHours = 0.1;
#endif

}  // namespace

TEST_CASE("hours of a Windows program stay within a millisecond of their place") {
  const double hours = std::getenv("PYPAC_LONG") ? kLongHours : kShortHours;
  const pypac::test::LoopbackHours found = pypac::test::run_loopback_hours(hours);
  std::printf("%.2f h: worst %.3f ms, RMS %.3f ms; %zu incidents\n", hours, found.worst_ms,
              found.rms_ms, found.incidents);
  CHECK(found.worst_ms < 1);
  CHECK(found.heard > 0.99);
  CHECK(found.incidents >= 2);  // before its first frame, and the jump
  CHECK(found.silent_frames == doctest::Approx(found.lost_frames).epsilon(0.01));
  CHECK(found.allocations == 0);
}
