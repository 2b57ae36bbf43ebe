// SPDX-License-Identifier: MIT
#include "dsp/finite.hpp"

#include "dsp/wide_lanes.hpp"

namespace pypac {

bool all_finite(const float* samples, std::size_t count) noexcept {
  static const auto here = chosen_kernel(narrow::all_finite, PYPAC_WIDE(all_finite));
  return here(samples, count);
}

}  // namespace pypac
