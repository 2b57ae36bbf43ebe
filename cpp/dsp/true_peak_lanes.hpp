// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "dsp/lanes.hpp"
#include "dsp/true_peak_kernel.hpp"

/// Values between samples, in lanes over time. For sources that are compiled once for each width.
namespace pypac::PYPAC_LANES_NAMESPACE {

/// Between each sample and the next.
struct Quarters {
  Lanes first;
  Lanes middle;
  Lanes third;
};

inline Quarters quarters(const float* samples, const TruePeakTaps& taps) noexcept {
  Lanes middle(0.0F);
  Lanes sums(0.0F);
  Lanes differences(0.0F);
  for (std::size_t k = 0; k < kTruePeakReach; ++k) {
    const Lanes before = Lanes::load(samples - k);
    const Lanes behind = Lanes::load(samples + 1 + k);
    const Lanes sum = before + behind;
    middle += Lanes(taps.middle[k]) * sum;
    sums += Lanes(taps.quarter_sums[k]) * sum;
    differences += Lanes(taps.quarter_differences[k]) * (before - behind);
  }
  return {sums + differences, middle, sums - differences};
}

/// The largest of each sample and the three values behind it. What is no number counts as nothing.
inline Lanes largest(Lanes sample, const Quarters& between) noexcept {
  const Lanes quarter = max(abs(between.first), abs(between.third));
  return max(max(quarter, abs(between.middle)), abs(sample));
}

/// Of lanes that are 0 or more.
inline float largest_lane(Lanes lanes) noexcept {
  float each[Lanes::kCount];
  lanes.store(each);
  float most = 0;
  for (const float one : each) most = one > most ? one : most;
  return most;
}

/// The largest sample that the values between samples[0] and samples[frames] are made of.
inline float loudest_sample(const float* samples, std::size_t frames) noexcept {
  Lanes loudest(0.0F);
  const float* const end = samples + frames + kTruePeakReach;
  for (const float* at = samples - kTruePeakReach; at < end; at += Lanes::kCount)
    loudest = max(abs(Lanes::load(at)), loudest);
  return largest_lane(loudest);
}

}  // namespace pypac::PYPAC_LANES_NAMESPACE
