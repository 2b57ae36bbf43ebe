// SPDX-License-Identifier: MIT
#include "dsp/sliding_window.hpp"

#include "dsp/lanes.hpp"

namespace pypac::PYPAC_LANES_NAMESPACE {
namespace {

/// Joins each value with the one `distance` behind it. Goes upwards, so that this one is still what
/// it was.
template <typename Join>
void join(float* values, std::size_t count, std::size_t distance, Join joined) noexcept {
  for (std::size_t i = 0; i + distance < count; i += Lanes::kCount)
    joined(Lanes::load(values + i), Lanes::load(values + i + distance)).store(values + i);
}

}  // namespace

void sliding_maximum(float* values, std::size_t count, std::size_t window) noexcept {
  const auto larger = [](Lanes a, Lanes b) { return max(a, b); };
  std::size_t width = 1;
  for (; width * 2 <= window; width *= 2) join(values, count, width, larger);
  if (width < window) join(values, count, window - width, larger);
}

void sliding_sum(float* values, std::size_t count, std::size_t window) noexcept {
  const auto sum = [](Lanes a, Lanes b) { return a + b; };
  for (std::size_t width = 1; width < window; width *= 2) join(values, count, width, sum);
}

}  // namespace pypac::PYPAC_LANES_NAMESPACE
