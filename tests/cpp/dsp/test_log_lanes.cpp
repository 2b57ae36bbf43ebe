// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "dsp/log_lanes.hpp"

using namespace pypac;

namespace {

float first_of(narrow::Lanes lanes) {
  float all[narrow::Lanes::kCount];
  lanes.store(all);
  return all[0];
}

float log2_of(float x) {
  return first_of(narrow::log2(narrow::Lanes(x)));
}

float exp2_of(float x) {
  return first_of(narrow::exp2(narrow::Lanes(x)));
}

/// From a number to the next float.
double last_place(double x) {
  const auto narrow = static_cast<float>(std::fabs(x));
  return std::nextafter(narrow, std::numeric_limits<float>::infinity()) - narrow;
}

}  // namespace

TEST_CASE("logarithms are those of libm within the stated error") {
  double worst = 0;
  for (double power = -125.9; power < 127.9; power += 0.000937) {
    const auto x = static_cast<float>(std::exp2(power));
    const double exact = std::log2(double{x});
    worst = std::max(worst, std::fabs(log2_of(x) - exact) - last_place(exact) / 2);
  }
  for (float x = 0.5F; x < 2; x = std::nextafter(x, 3.0F) + 1e-5F)
    worst = std::max(worst, std::fabs(log2_of(x) - std::log2(double{x})));
  CHECK(worst < 2e-7);
  CHECK(worst > 1e-9);
  CHECK(log2_of(1) == 0);
  CHECK(log2_of(1024) == 10);
}

TEST_CASE("powers of two are those of libm within the stated error") {
  double worst = 0;
  for (double power = -126; power < 126; power += 0.000737) {
    const auto x = static_cast<float>(power);
    const double exact = std::exp2(double{x});
    worst = std::max(worst, std::fabs(exp2_of(x) / exact - 1));
  }
  CHECK(worst < 3e-7);
  CHECK(worst > 1e-9);
  CHECK(exp2_of(0) == 1);
  CHECK(exp2_of(-0.0F) == 1);
  CHECK(exp2_of(-6) == 1.0F / 64);
}

TEST_CASE("what has no logarithm counts as the smallest number, and powers have limits") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float none : {0.0F, -1.0F, 1e-40F, nan, -infinity}) CHECK(log2_of(none) == -126);
  CHECK(log2_of(infinity) == 128);
  CHECK(exp2_of(1000) == std::ldexp(1.0F, 126));
  for (const float none : {-1000.0F, nan, -infinity})
    CHECK(exp2_of(none) == std::ldexp(1.0F, -126));
}
