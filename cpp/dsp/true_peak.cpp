// SPDX-License-Identifier: MIT
#include "dsp/true_peak.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "dsp/kaiser.hpp"
#include "dsp/wide_lanes.hpp"

namespace pypac {
namespace {

// How steep the filter is, against how little it lets through beyond half of the rate. As steep as
// what people measure with: a longer filter in a wider window.
constexpr double kKaiserBeta = 8;

/// The weight of a sample so many samples away: a sinc in Kaiser's window.
double weight(double distance) {
  const double x = std::numbers::pi * distance;
  const double edge = distance / static_cast<double>(kTruePeakReach);
  return std::sin(x) / x * kaiser(edge, kKaiserBeta) / kaiser(0, kKaiserBeta);
}

TruePeakTaps made_taps() {
  TruePeakTaps taps{};
  double middle_most = 0;
  double quarter_most = 0;
  for (std::size_t k = 0; k < kTruePeakReach; ++k) {
    const auto before = static_cast<double>(k);
    const double near = weight(before + 0.25);
    const double far = weight(before + 0.75);
    taps.middle[k] = static_cast<float>(weight(before + 0.5));
    taps.quarter_sums[k] = static_cast<float>((near + far) / 2);
    taps.quarter_differences[k] = static_cast<float>((near - far) / 2);
    middle_most += 2 * std::fabs(weight(before + 0.5));
    quarter_most += std::fabs(near) + std::fabs(far);
  }
  // Somewhat more, for what rounding adds.
  taps.most = static_cast<float>(1.0001 * std::max(middle_most, quarter_most));
  return taps;
}

}  // namespace

const TruePeakTaps& true_peak_taps() {
  static const TruePeakTaps taps = made_taps();
  return taps;
}

TruePeak::TruePeak(std::uint32_t max_frames)
    : samples_(2 * kTruePeakReach + max_frames + kLanePadding) {
  static_cast<void>(true_peak_taps());
}

float TruePeak::process(const float* samples, std::uint32_t frames, float known) noexcept {
  constexpr std::size_t kBefore = 2 * kTruePeakReach;
  std::memcpy(samples_.data() + kBefore, samples, frames * sizeof(float));
  const auto run = chosen_kernel(narrow::true_peak, PYPAC_WIDE(true_peak));
  known = run(samples_.data() + kTruePeakReach, frames, true_peak_taps(), known);
  std::memmove(samples_.data(), samples_.data() + frames, kBefore * sizeof(float));
  return known;
}

void TruePeak::reset() noexcept {
  std::ranges::fill(samples_, 0.0F);
}

}  // namespace pypac
