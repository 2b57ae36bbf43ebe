// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <limits>

#include "dsp/wide_lanes.hpp"
#include "lanes_kernel.hpp"

using namespace pypac;

namespace {

std::uint32_t bits(const LanesResults& results, int operation, int lane) {
  return std::bit_cast<std::uint32_t>(results.values[operation][lane]);
}

}  // namespace

TEST_CASE(
    "every operation gives the same bits in lanes of eight, of four, and without intrinsics") {
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  const float a[8] = {1.5F, -2.5F, 3.5F, 0.1F, -0.0F, 1e20F, kInfinite, 5};
  const float b[8] = {0.3F, -7.5F, 3.5F, 1e-3F, 0.0F, -3e19F, 2, 0.7F};
  LanesResults narrow_results{};
  LanesResults here{};
  LanesResults portable_results{};
  narrow::try_lanes(a, b, narrow_results);
  chosen_kernel(narrow::try_lanes, PYPAC_WIDE(try_lanes))(a, b, here);
  portable::try_lanes(a, b, portable_results);
  const float sum = a[0] + b[0];
  CHECK(bits(narrow_results, 0, 0) == std::bit_cast<std::uint32_t>(sum));
  CHECK(bits(narrow_results, 7, 3) == 0);           // 0.1 < 0.001
  CHECK(bits(narrow_results, 8, 3) == 0xFFFFFFFF);  // 0.1 > 0.001
  CHECK(bits(narrow_results, 18, 2) == 4);          // ties to even
  CHECK(bits(narrow_results, 18, 1) == std::uint32_t(-2));
  CHECK(bits(narrow_results, 24, 1) == std::uint32_t(-1));  // the sign comes in
  for (int n = 0; n < LanesResults::kOperations; ++n) {
    for (int lane = 0; lane < 8; ++lane) {
      CAPTURE(n);
      CAPTURE(lane);
      CHECK(bits(narrow_results, n, lane) == bits(here, n, lane));
      // What is beyond integers is something else on each processor.
      if (n < 18 || (lane != 5 && lane != 6))
        CHECK(bits(narrow_results, n, lane) == bits(portable_results, n, lane));
    }
  }
}
