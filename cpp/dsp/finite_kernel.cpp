// SPDX-License-Identifier: MIT
#include "dsp/finite.hpp"
#include "dsp/lanes.hpp"

namespace pypac::PYPAC_LANES_NAMESPACE {

bool all_finite(const float* samples, std::size_t count) noexcept {
  constexpr std::size_t kWidth = Lanes::kCount;
  constexpr float kLargest = 3.40282347e+38F;
  const Mask yes = Lanes(0.0F) <= Lanes(0.0F);
  Mask even = yes;
  Mask odd = yes;
  std::size_t i = 0;
  for (; i + 2 * kWidth <= count; i += 2 * kWidth) {
    even = even & (abs(Lanes::load(samples + i)) <= Lanes(kLargest));
    odd = odd & (abs(Lanes::load(samples + i + kWidth)) <= Lanes(kLargest));
  }
  bool all = !any(and_not(even & odd, yes));
  for (; i < count; ++i) all = all && samples[i] <= kLargest && samples[i] >= -kLargest;
  return all;
}

}  // namespace pypac::PYPAC_LANES_NAMESPACE
