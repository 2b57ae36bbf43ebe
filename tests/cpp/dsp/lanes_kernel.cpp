// SPDX-License-Identifier: MIT
#include "lanes_kernel.hpp"

#include <cstddef>

#include "dsp/lanes.hpp"

namespace pypac::PYPAC_LANES_NAMESPACE {

void try_lanes(const float* a, const float* b, LanesResults& results) noexcept {
  for (std::size_t begin = 0; begin < 8; begin += Lanes::kCount) {
    const Lanes x = Lanes::load(a + begin);
    const Lanes y = Lanes::load(b + begin);
    const IntLanes i = to_int(x);
    const IntLanes k = to_int(y);
    const Lanes all[LanesResults::kOperations] = {x + y,
                                                  x - y,
                                                  x * y,
                                                  x / y,
                                                  min(x, y),
                                                  max(x, y),
                                                  sqrt(abs(x)),
                                                  x<y, x>
                                                      y,
                                                  x <= y,
                                                  x >= y,
                                                  x & y,
                                                  x | y,
                                                  and_not(x, y),
                                                  select(x < y, x, y),
                                                  -x,
                                                  clamp(x, Lanes(-1.0F), Lanes(2.0F)),
                                                  from_bits(bits_of(x)),
                                                  from_bits(i),
                                                  from_bits(i + k),
                                                  from_bits(i - k),
                                                  from_bits(i & k),
                                                  from_bits(i | k),
                                                  from_bits(shift_left<3>(i)),
                                                  from_bits(shift_right<2>(i)),
                                                  to_float(i),
                                                  from_bits(splat(7) + i)};
    for (std::size_t n = 0; n < LanesResults::kOperations; ++n)
      all[n].store(results.values[n] + begin);
  }
}

}  // namespace pypac::PYPAC_LANES_NAMESPACE
