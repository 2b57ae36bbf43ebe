// SPDX-License-Identifier: MIT
#include "dsp/finite.hpp"

#include <cmath>

#include "dsp/wide_lanes.hpp"

namespace pypac {

namespace {
const auto all_finite_here = chosen_kernel(narrow::all_finite, PYPAC_WIDE(all_finite));
}  // namespace

bool all_finite(const float* samples, std::size_t count) noexcept {
  return all_finite_here(samples, count);
}

bool silence_not_finite(float* samples, std::size_t count) noexcept {
  if (all_finite(samples, count)) return false;
  for (std::size_t i = 0; i < count; ++i)
    if (!std::isfinite(samples[i])) samples[i] = 0;
  return true;
}

}  // namespace pypac
