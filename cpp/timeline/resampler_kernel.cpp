// SPDX-License-Identifier: MIT
#include "timeline/resampler_kernel.hpp"

#include <cstddef>

#include "dsp/lanes.hpp"

namespace pypac::PYPAC_LANES_NAMESPACE {
namespace {

constexpr std::size_t kWidth = Lanes::kCount;
// Whatever the width, tap k goes into sum k mod 8, and the sums are added up in the same order.
constexpr std::size_t kSums = 8;
constexpr std::size_t kVectors = kSums / kWidth;
// Frames that are read at once, so that no sum waits for itself, as far as registers reach.
constexpr std::size_t kAtOnce = kWidth / 2;

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

/// The sum of each row, in the row's lane.
Lanes sums_of_rows(Lanes (&rows)[kWidth]) noexcept {
  transpose(rows);
  if constexpr (kWidth == 8)
    return ((rows[0] + rows[4]) + (rows[1] + rows[5])) +
           ((rows[2] + rows[6]) + (rows[3] + rows[7]));
  else
    return (rows[0] + rows[1]) + (rows[2] + rows[3]);
}

template <std::size_t Channels>
using Rows = Lanes[Channels][kWidth];

// Channels share the making of each weight, which never leaves the registers. `Alike`: the frames
// lie one input frame apart and use the same coefficients, as most do where clocks drift.
template <std::size_t Channels, std::size_t Frames, bool Alike>
void read_together(const Place* places, std::size_t taps, const float* const* inputs,
                   Rows<Channels>& rows, std::size_t row) noexcept {
  Lanes sums[Frames][Channels][kVectors];
  for (std::size_t n = 0; n < Frames; ++n)
    for (std::size_t c = 0; c < Channels; ++c)
      for (std::size_t v = 0; v < kVectors; ++v) sums[n][c][v] = Lanes(0.0F);
  const float* from[Frames][Channels];
  for (std::size_t n = 0; n < Frames; ++n)
    for (std::size_t c = 0; c < Channels; ++c)
      from[n][c] = Alike ? inputs[c] + places[0].begin + n : inputs[c] + places[n].begin;
  for (std::size_t k = 0; k < taps; k += kSums) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      const std::size_t at = k + v * kWidth;
      Lanes here = Lanes::load(places[0].here + at);
      Lanes step = Lanes::load(places[0].next + at) - here;
      for (std::size_t n = 0; n < Frames; ++n) {
        if (!Alike && n > 0) {
          here = Lanes::load(places[n].here + at);
          step = Lanes::load(places[n].next + at) - here;
        }
        const Lanes weight = here + Lanes(places[n].mix) * step;
        for (std::size_t c = 0; c < Channels; ++c)
          sums[n][c][v] += weight * Lanes::load(from[n][c] + at);
      }
    }
  }
  for (std::size_t n = 0; n < Frames; ++n) {
    for (std::size_t c = 0; c < Channels; ++c) {
      if constexpr (kVectors == 1)
        rows[c][row + n] = sums[n][c][0];
      else
        rows[c][row + n] = sums[n][c][0] + sums[n][c][1];
    }
  }
}

template <std::size_t Frames>
bool alike(const Place* places) noexcept {
  for (std::size_t n = 1; n < Frames; ++n)
    if (places[n].here != places[0].here ||
        places[n].begin != places[0].begin + static_cast<std::ptrdiff_t>(n))
      return false;
  return true;
}

template <std::size_t Channels>
void read_channels(const ResamplerReading& to, const float* const* inputs,
                   float* const* outputs) noexcept {
  const std::size_t taps = std::size_t{2} * to.half_width;
  for (std::uint32_t i = 0; i < to.frames; i += kWidth) {
    const std::size_t count = to.frames - i < kWidth ? to.frames - i : kWidth;
    Place places[kWidth];
    // The first is read again in the place of those that are missing at the end.
    for (std::size_t n = 0; n < kWidth; ++n)
      places[n] = place_of(to, i + static_cast<std::uint32_t>(n < count ? n : 0));
    Rows<Channels> rows;
    for (std::size_t n = 0; n < kWidth; n += kAtOnce) {
      if (alike<kAtOnce>(places + n)) {
        read_together<Channels, kAtOnce, true>(places + n, taps, inputs, rows, n);
        continue;
      }
      for (std::size_t k = n; k < n + kAtOnce; k += 2)
        read_together<Channels, 2, false>(places + k, taps, inputs, rows, k);
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
