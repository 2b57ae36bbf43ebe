// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>

namespace pypac {

/// [any-thread] Kaiser's window from -1 to 1, not scaled: at 0 it is I0(beta). J. F. Kaiser, R. W.
/// Schafer, "On the use of the I0-sinh window for spectrum analysis", IEEE Trans. ASSP 28(1), 1980.
[[nodiscard]] inline double kaiser(double x, double beta) noexcept {
  if (std::abs(x) >= 1) return 0;
  const double half = beta * std::sqrt(1 - x * x) / 2;
  double sum = 1;
  double term = 1;
  for (int k = 1; term > sum * 1e-18; ++k) {
    const double factor = half / k;
    term *= factor * factor;
    sum += term;
  }
  return sum;
}

}  // namespace pypac
