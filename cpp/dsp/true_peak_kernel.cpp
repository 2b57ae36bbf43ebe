// SPDX-License-Identifier: MIT
#include "dsp/true_peak_kernel.hpp"

#include "dsp/lanes.hpp"
#include "dsp/true_peak_lanes.hpp"

namespace pypac::PYPAC_LANES_NAMESPACE {
namespace {

// What is left out where it cannot be louder than what is known.
constexpr std::size_t kPiece = 64;

float piece_peak(const float* samples, std::size_t frames, const TruePeakTaps& taps,
                 float known) noexcept {
  float each[kPiece];
  for (std::size_t i = 0; i < frames; i += Lanes::kCount)
    largest(Lanes::load(samples + i), quarters(samples + i, taps)).store(each + i);
  for (std::size_t i = 0; i < frames; ++i) known = each[i] > known ? each[i] : known;
  return known;
}

}  // namespace

float true_peak(const float* samples, std::size_t frames, const TruePeakTaps& taps,
                float known) noexcept {
  for (std::size_t begin = 0; begin < frames; begin += kPiece) {
    const std::size_t length = frames - begin < kPiece ? frames - begin : kPiece;
    if (!(loudest_sample(samples + begin, length) * taps.most <= known))
      known = piece_peak(samples + begin, length, taps, known);
  }
  return known;
}

}  // namespace pypac::PYPAC_LANES_NAMESPACE
