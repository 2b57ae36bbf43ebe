// SPDX-License-Identifier: MIT
#pragma once

#include "dsp/lanes.hpp"

namespace pypac::PYPAC_LANES_NAMESPACE {

/// Logarithm to base 2, off by at most 2e-7 and half a unit of the result's last place. Exactly 0
/// for 1. Numbers below 2^-126, and what is no number, count as 2^-126; infinity counts as 2^128.
///
/// The number is 2^e (1 + f) with 1 + f from sqrt(1/2) to sqrt(2); log2(1 + f) / f is a polynomial
/// with the least largest error there.
inline Lanes log2(Lanes x) noexcept {
  constexpr std::int32_t kSqrtHalf = 0x3f3504f3;
  const IntLanes bits = bits_of(max(x, from_bits(splat(0x00800000))));
  const IntLanes exponent = shift_right<23>(bits - splat(kSqrtHalf));
  const Lanes f = from_bits(bits - shift_left<23>(exponent)) - Lanes(1.0F);
  const Lanes f2 = f * f;
  const Lanes low = (Lanes(1.44269477F) + Lanes(-0.72135715F) * f) +
                    (Lanes(0.48093944F) + Lanes(-0.36008721F) * f) * f2;
  const Lanes high = (Lanes(0.28670746F) + Lanes(-0.25006925F) * f) +
                     (Lanes(0.23689032F) + Lanes(-0.14574433F) * f) * f2;
  return to_float(exponent) + (low + high * (f2 * f2)) * f;
}

/// 2 to this power, off by at most 3e-7 of the result. Exactly 1 for 0. Powers are limited to -126
/// and 126; what is no number counts as -126.
///
/// The power is n + f with f from -1/2 to 1/2; (2^f - 1) / f is a polynomial with the least largest
/// error there.
inline Lanes exp2(Lanes x) noexcept {
  const Lanes power = clamp(x, Lanes(-126.0F), Lanes(126.0F));
  const IntLanes whole = to_int(power);
  const Lanes f = power - to_float(whole);
  const Lanes f2 = f * f;
  const Lanes sum =
      (Lanes(0.69314721F) + Lanes(0.24022235F) * f) +
      ((Lanes(0.055503084F) + Lanes(0.0096718751F) * f) + Lanes(0.0013407259F) * f2) * f2;
  return (sum * f + Lanes(1.0F)) * from_bits(shift_left<23>(whole + splat(127)));
}

}  // namespace pypac::PYPAC_LANES_NAMESPACE
