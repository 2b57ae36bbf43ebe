// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>

namespace pypac {

/// Amplitude ratio of a level: 10^(dB/20). 0 dB is exactly 1.
[[nodiscard]] inline double linear_from_db(double db) noexcept {
  return std::pow(10.0, db / 20.0);
}

/// The same as samples are multiplied by it.
[[nodiscard]] inline float gain_from_db(double db) noexcept {
  return static_cast<float>(linear_from_db(db));
}

/// Level of an amplitude ratio, in dB; minus infinity for 0.
[[nodiscard]] inline double db_from_linear(double linear) noexcept {
  return 20.0 * std::log10(linear);
}

}  // namespace pypac
