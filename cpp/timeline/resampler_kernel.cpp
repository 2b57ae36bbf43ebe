// SPDX-License-Identifier: MIT
#include "timeline/resampler_kernel.hpp"

#include <cstddef>

#include "dsp/lanes.hpp"

namespace pypac::PYPAC_LANES_NAMESPACE {
namespace {

constexpr std::size_t kWidth = Lanes::kCount;
// Sums that are kept apart: enough for none to wait for itself. Whatever the width, tap k goes into
// sum k mod 16, and the sums are added up in the same order.
constexpr std::size_t kSums = 16;
constexpr std::size_t kVectors = kSums / kWidth;

/// Where an output frame lies: which two rows of coefficients, how much of the second, which
/// inputs.
struct Place {
  const float* here;
  const float* next;
  float mix;
  std::ptrdiff_t begin;
};

Place place_of(const ResamplerReading& to, std::uint32_t frame) noexcept {
  const double position = (to.first + frame) * to.increment;
  auto whole = static_cast<std::ptrdiff_t>(position);  // towards zero
  if (position < static_cast<double>(whole)) --whole;
  const double phase = (position - static_cast<double>(whole)) * to.phases;
  const auto row = static_cast<std::uint32_t>(phase);
  const std::size_t taps = std::size_t{2} * to.half_width;
  const float* const here = to.coefficients + row * taps;
  return {here, row < to.phases ? here + taps : here, static_cast<float>(phase - row),
          whole - static_cast<std::ptrdiff_t>(to.half_width) + 1};
}

/// Sum j and its fellows j + 8; with four lanes also j + 4, which eight lanes add up later.
Lanes folded(const Lanes (&sums)[kVectors]) noexcept {
  if constexpr (kVectors == 2)
    return sums[0] + sums[1];
  else
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

/// The sum of each row, in the row's lane.
Lanes sums_of_rows(Lanes (&rows)[kWidth]) noexcept {
  transpose(rows);
  if constexpr (kWidth == 8)
    return ((rows[0] + rows[4]) + (rows[1] + rows[5])) +
           ((rows[2] + rows[6]) + (rows[3] + rows[7]));
  else
    return (rows[0] + rows[1]) + (rows[2] + rows[3]);
}

// Channels share the making of each weight, which never leaves the registers.
template <std::size_t Channels>
void read_channels(const ResamplerReading& to, const float* const* inputs,
                   float* const* outputs) noexcept {
  const std::size_t taps = std::size_t{2} * to.half_width;
  for (std::uint32_t i = 0; i < to.frames; i += kWidth) {
    const std::size_t count = to.frames - i < kWidth ? to.frames - i : kWidth;
    Lanes rows[Channels][kWidth];
    for (std::size_t n = 0; n < kWidth; ++n) {
      // A last few frames are read again in the place of those that are missing.
      const Place place = place_of(to, i + static_cast<std::uint32_t>(n < count ? n : 0));
      const Lanes mix(place.mix);
      Lanes sums[Channels][kVectors];
      for (std::size_t c = 0; c < Channels; ++c)
        for (std::size_t v = 0; v < kVectors; ++v) sums[c][v] = Lanes(0.0F);
      for (std::size_t k = 0; k < taps; k += kSums) {
        for (std::size_t v = 0; v < kVectors; ++v) {
          const std::size_t at = k + v * kWidth;
          const Lanes here = Lanes::load(place.here + at);
          const Lanes weight = here + mix * (Lanes::load(place.next + at) - here);
          for (std::size_t c = 0; c < Channels; ++c)
            sums[c][v] += weight * Lanes::load(inputs[c] + place.begin + at);
        }
      }
      for (std::size_t c = 0; c < Channels; ++c) rows[c][n] = folded(sums[c]);
    }
    for (std::size_t c = 0; c < Channels; ++c) {
      const Lanes out = sums_of_rows(rows[c]);
      if (count == kWidth) {
        out.store(outputs[c] + i);
      } else {
        float some[kWidth];
        out.store(some);
        for (std::size_t n = 0; n < count; ++n) outputs[c][i + n] = some[n];
      }
    }
  }
}

}  // namespace

void read_frames(const ResamplerReading& reading) noexcept {
  std::uint32_t c = 0;
  for (; c + 2 <= reading.channels; c += 2)
    read_channels<2>(reading, reading.inputs + c, reading.outputs + c);
  if (c < reading.channels) read_channels<1>(reading, reading.inputs + c, reading.outputs + c);
}

}  // namespace pypac::PYPAC_LANES_NAMESPACE
