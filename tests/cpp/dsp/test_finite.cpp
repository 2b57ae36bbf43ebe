// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "dsp/finite.hpp"

using namespace pypac;

TEST_CASE("a NaN or infinity is found wherever it is, and nothing else is") {
  const float faults[] = {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()};
  for (const std::size_t count : {0, 1, 7, 16, 37}) {
    std::vector<float> samples(count, -std::numeric_limits<float>::max());
    CHECK(all_finite(samples.data(), count));
    CHECK(narrow::all_finite(samples.data(), count));
    for (std::size_t at = 0; at < count; ++at) {
      for (const float fault : faults) {
        const float kept = samples[at];
        samples[at] = fault;
        CHECK_FALSE(all_finite(samples.data(), count));
        CHECK_FALSE(narrow::all_finite(samples.data(), count));
        samples[at] = kept;
      }
    }
  }
}
