// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "dsp/sliding_window.hpp"
#include "dsp/true_peak_kernel.hpp"
#include "dsp/wide_lanes.hpp"

using namespace pypac;

namespace {

std::vector<float> noise(std::size_t count) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> value(0, 1);
  std::vector<float> values(count + kLanePadding);
  std::ranges::generate(values, [&] { return value(random); });
  return values;
}

}  // namespace

TEST_CASE("sliding maxima are those of each window, in both widths") {
  for (const std::size_t window : {1, 2, 3, 8, 97, 100, 128}) {
    const std::vector<float> values = noise(300);
    std::vector<float> narrow_result = values;
    std::vector<float> wide_result = values;
    narrow::sliding_maximum(narrow_result.data(), 300, window);
    if (has_wide_lanes())
      PYPAC_WIDE(sliding_maximum)(wide_result.data(), 300, window);
    else
      wide_result = narrow_result;
    for (std::size_t i = 0; i + window <= 300; ++i) {
      CHECK(narrow_result[i] == *std::max_element(&values[i], &values[i + window]));
      CHECK(wide_result[i] == narrow_result[i]);
    }
  }
}

TEST_CASE("sliding sums are those of each window, and the same wherever a block begins") {
  for (const std::size_t window : {1, 2, 16, 64}) {
    const std::vector<float> values = noise(300);
    std::vector<float> sums = values;
    const auto run = chosen_kernel(narrow::sliding_sum, PYPAC_WIDE(sliding_sum));
    run(sums.data(), 300, window);
    std::vector<float> later(values.begin() + 5, values.end());
    narrow::sliding_sum(later.data(), 295 - kLanePadding, window);
    for (std::size_t i = 0; i + window <= 300; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < window; ++k) sum += double{values[i + k]};
      CHECK(sums[i] == doctest::Approx(sum).epsilon(1e-6));
      if (i >= 5 && i + window <= 300 - kLanePadding) CHECK(later[i - 5] == sums[i]);
    }
  }
}
