// SPDX-License-Identifier: MIT
#include "dsp/true_peak_kernel.hpp"

#include "dsp/lanes.hpp"
#include "dsp/true_peak_lanes.hpp"

namespace pypac::PYPAC_LANES_NAMESPACE {
namespace {

// What is left out where it cannot be louder than what is known.
constexpr std::size_t kPiece = 64;

float piece_peak(const float* samples, std::size_t frames, const TruePeakTaps& taps) noexcept {
  const auto found = [&](std::size_t at) {
    return largest(Lanes::load(samples + at), quarters(samples + at, taps));
  };
  Lanes peaks(0.0F);
  std::size_t i = 0;
  for (; i + Lanes::kCount <= frames; i += Lanes::kCount) peaks = max(found(i), peaks);
  float peak = largest_lane(peaks);
  if (i == frames) return peak;
  float each[Lanes::kCount];
  found(i).store(each);
  for (std::size_t n = 0; n < frames - i; ++n) peak = each[n] > peak ? each[n] : peak;
  return peak;
}

}  // namespace

float true_peak(const float* samples, std::size_t frames, const TruePeakTaps& taps,
                float known) noexcept {
  for (std::size_t begin = 0; begin < frames; begin += kPiece) {
    const std::size_t length = frames - begin < kPiece ? frames - begin : kPiece;
    if (loudest_sample(samples + begin, length) * taps.most <= known) continue;
    const float peak = piece_peak(samples + begin, length, taps);
    known = peak > known ? peak : known;
  }
  return known;
}

}  // namespace pypac::PYPAC_LANES_NAMESPACE
