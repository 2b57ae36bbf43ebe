// SPDX-License-Identifier: MIT
#include "timeline/resampler.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <numbers>

#include "dsp/kaiser.hpp"
#include "dsp/wide_lanes.hpp"
#include "timeline/resampler_kernel.hpp"

namespace pypac {
namespace {

constexpr double kZeroCrossings = 32;
// 118 dB of stop band; 64 taps then pass 0 to 0.88 of Nyquist untouched.
constexpr double kKaiserBeta = 12;
// Linear interpolation between phases errs by at most (pi^2 / 3) / (8 phases^2): -128 dB.
constexpr double kPhases = 1024;
// Where the output holds less than the input, the -6 dB point lies a little below its Nyquist.
constexpr double kDownMargin = 0.95;
// Slower clocks within a drift's reach of the nominal rate are passed at full bandwidth.
constexpr double kNearUnity = 0.998;

// The kernel takes so many taps at once, on either side.
constexpr std::uint32_t kStep = 4;

double sinc(double x) {
  if (x == 0) return 1;
  // sin(pi * n) is not exactly 0; the identity at whole positions depends on it.
  if (x == std::round(x)) return 0;
  return std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
}

const auto read_frames_here = chosen_kernel(narrow::read_frames, PYPAC_WIDE(read_frames));

}  // namespace

Resampler::Resampler(double cutoff)
    : half_width_(static_cast<std::uint32_t>(std::ceil(kZeroCrossings / cutoff / kStep)) * kStep),
      phases_(static_cast<std::uint32_t>(std::ceil(kPhases * cutoff))),
      coefficients_(std::size_t{phases_ + 1} * 2 * half_width_) {
  assert(cutoff > 0 && cutoff <= 1 && half_width_ <= kMaxHalfWidth);
  const std::size_t taps = std::size_t{2} * half_width_;
  std::vector<double> row(taps);
  for (std::uint32_t phase = 0; phase <= phases_; ++phase) {
    const double fraction = static_cast<double>(phase) / phases_;
    double sum = 0;
    for (std::size_t k = 0; k < taps; ++k) {
      const double distance = static_cast<double>(k) - (half_width_ - 1.0) - fraction;
      row[k] = sinc(distance * cutoff) * kaiser(distance * cutoff / kZeroCrossings, kKaiserBeta);
      sum += row[k];
    }
    // Unity gain at each phase: a constant stays one.
    for (std::size_t k = 0; k < taps; ++k)
      coefficients_[phase * taps + k] = static_cast<float>(row[k] / sum);
  }
}

const Resampler& Resampler::for_step(double step) noexcept {
  // Usual rates over usual rates: 48 to 44.1 kHz, 88.2 and 96 to either, 176.4 and 192, 384.
  static const std::array<double, 8> steps{44100.0 / 48000,
                                           48000.0 / 88200,
                                           0.5,
                                           44100.0 / 96000,
                                           48000.0 / 176400,
                                           0.25,
                                           44100.0 / 192000,
                                           0.125};
  static const Resampler full(1);
  static const std::vector<Resampler> reduced = [] {
    std::vector<Resampler> built;
    built.reserve(std::size(steps));
    for (const double each : steps) built.emplace_back(each * kDownMargin);
    return built;
  }();
  if (step >= kNearUnity) return full;
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
    if (step >= steps[i] * kNearUnity) return reduced[i];
  }
  return reduced.back();
}

void Resampler::read(const float* const* inputs, std::uint32_t channels, double first,
                     double increment, std::uint32_t frames, float* const* outputs) const noexcept {
  read_frames_here({coefficients_.data(), phases_, half_width_, inputs, channels, first, increment,
                    frames, outputs});
}

std::vector<float> resample(std::span<const float> mono, double ratio) {
  const Resampler resampler(ratio >= kNearUnity ? 1 : std::max(ratio * kDownMargin, 0.1115));
  const std::size_t margin = resampler.half_width() + 1;
  std::vector<float> padded(mono.size() + 2 * margin);
  std::copy(mono.begin(), mono.end(), padded.begin() + static_cast<std::ptrdiff_t>(margin));
  std::vector<float> result(
      static_cast<std::size_t>(std::ceil(static_cast<double>(mono.size()) * ratio)));
  const float* input = padded.data() + margin;
  float* output = result.data();
  resampler.read(&input, 1, 0, 1 / ratio, static_cast<std::uint32_t>(result.size()), &output);
  return result;
}

}  // namespace pypac
