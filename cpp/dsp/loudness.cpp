// SPDX-License-Identifier: MIT
#include "dsp/loudness.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "dsp/loudness_kernel.hpp"
#include "dsp/wide_lanes.hpp"

namespace pypac {
namespace {

// BS.1770 gives its filters for 48 kHz alone. These are the analogue ones that, by the bilinear
// transform, come out as its tables there.
constexpr double kShelfHz = 1681.974450955533;
constexpr double kShelfDb = 3.999843853973347;
constexpr double kShelfQ = 0.7071752369554196;
constexpr double kShelfMiddle = 0.4996667741545416;
constexpr double kHighPassHz = 38.13547087602444;
constexpr double kHighPassQ = 0.5003270373238773;
// So that 997 Hz at full scale in one front channel has -3.01 LKFS.
constexpr double kOffsetDb = -0.691;

constexpr double kSurround = 1.41;

const auto kWeigh = chosen_kernel(narrow::weigh, PYPAC_WIDE(weigh));

}  // namespace

KWeighting k_weighting(std::uint32_t sample_rate) noexcept {
  const double rate = sample_rate;
  // Below 3.5 kHz the shelf has no place any more: it stays under half of the rate.
  const double k = std::tan(std::numbers::pi * std::min(kShelfHz / rate, 0.49));
  const double high = std::pow(10.0, kShelfDb / 20);
  const double middle = std::pow(high, kShelfMiddle);
  const double a0 = 1 + k / kShelfQ + k * k;
  const double g = std::tan(std::numbers::pi * kHighPassHz / rate);
  const double damping = 1 / kHighPassQ + g;
  return {
      .b0 = static_cast<float>((high + middle * k / kShelfQ + k * k) / a0),
      .b1 = static_cast<float>(2 * (k * k - high) / a0),
      .b2 = static_cast<float>((high - middle * k / kShelfQ + k * k) / a0),
      .a1 = static_cast<float>(2 * (k * k - 1) / a0),
      .a2 = static_cast<float>((1 - k / kShelfQ + k * k) / a0),
      .damping = static_cast<float>(damping),
      .band = static_cast<float>(g / (1 + g * damping)),
      .slope = static_cast<float>(g),
  };
}

double channel_weight(std::uint32_t channel, std::uint32_t channels) noexcept {
  switch (channels) {
    case 4:  // L R Ls Rs
      return channel < 2 ? 1 : kSurround;
    case 5:  // L R C Ls Rs
      return channel < 3 ? 1 : kSurround;
    case 6:  // L R C LFE Ls Rs
      return channel < 3 ? 1 : channel == 3 ? 0 : kSurround;
    case 7:  // L R C LFE Cs Ls Rs
      return channel == 3 ? 0 : channel < 5 ? 1 : kSurround;
    case 8:  // L R C LFE, rear and side: the rear ones lie beyond 120 degrees
      return channel == 3 ? 0 : channel < 6 ? 1 : kSurround;
    default:
      return 1;
  }
}

std::uint32_t loudness_step_frames(std::uint32_t sample_rate) noexcept {
  return std::max<std::uint32_t>(1, (sample_rate + 50) / 100);
}

double lufs_from_energy(double energy) noexcept {
  return kOffsetDb + 10 * std::log10(energy);
}

double energy_from_lufs(double lufs) noexcept {
  return std::pow(10.0, (lufs - kOffsetDb) / 10);
}

void weigh_lanes(const KWeighting& weighting, std::span<LoudnessLane* const> lanes,
                 std::uint32_t frames) noexcept {
  kWeigh(weighting, lanes.data(), lanes.size(), frames);
}

double take_sum(LoudnessLane& lane) noexcept {
  const float sum = lane.sum_of_squares;
  lane.sum_of_squares = 0;
  // What is no number in a state is none in the sum.
  if (std::isfinite(sum)) return sum;
  std::fill(std::begin(lane.state), std::end(lane.state), 0.0F);
  return 0;
}

}  // namespace pypac
