// SPDX-License-Identifier: MIT
#pragma once

namespace pypac {

/// What each operation makes of eight pairs of numbers; some are bits, not numbers.
struct LanesResults {
  static constexpr int kOperations = 27;
  float values[kOperations][8];
};

namespace narrow {
void try_lanes(const float* a, const float* b, LanesResults& results) noexcept;
}
namespace wide {
void try_lanes(const float* a, const float* b, LanesResults& results) noexcept;
}
namespace portable {
void try_lanes(const float* a, const float* b, LanesResults& results) noexcept;
}

}  // namespace pypac
