// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "dsp/wide_lanes.hpp"
#include "timeline/resampler_kernel.hpp"

namespace pypac::portable {
void read_frames(const ResamplerReading& reading) noexcept;
}

using namespace pypac;

TEST_CASE("all builds of the resampler's kernel agree bit for bit, and read what they should") {
  constexpr std::uint32_t kHalf = 24;
  constexpr std::uint32_t kPhases = 16;
  constexpr std::uint32_t kFrames = 101;
  std::mt19937 random(1);
  std::uniform_real_distribution<float> any(-1, 1);
  std::vector<float> coefficients((kPhases + 1) * 2 * kHalf);
  std::vector<float> samples(3 * 400);
  std::generate(coefficients.begin(), coefficients.end(), [&] { return any(random); });
  std::generate(samples.begin(), samples.end(), [&] { return any(random); });
  const float* const inputs[] = {samples.data() + 100, samples.data() + 500, samples.data() + 900};
  for (const double increment : {0.37, 1.0, 1.0002, 1.7}) {
    for (std::uint32_t channels = 1; channels <= 3; ++channels) {
      const auto run = [&](void (*read)(const ResamplerReading&) noexcept) {
        std::vector<float> out(channels * kFrames);
        float* const outputs[] = {out.data(), out.data() + kFrames, out.data() + 2 * kFrames};
        read({coefficients.data(), kPhases, kHalf, inputs, channels, -3.3, increment, kFrames,
              outputs});
        return out;
      };
      const std::vector<float> narrow_frames = run(narrow::read_frames);
      CHECK(run(chosen_kernel(narrow::read_frames, PYPAC_WIDE(read_frames))) == narrow_frames);
      CHECK(run(portable::read_frames) == narrow_frames);
      // The last frame as the plain sum says.
      const double position = (-3.3 + kFrames - 1) * increment;
      const auto whole = static_cast<std::ptrdiff_t>(std::floor(position));
      const double phase = (position - static_cast<double>(whole)) * kPhases;
      const auto row = static_cast<std::size_t>(phase);
      double sum = 0;
      for (std::size_t k = 0; k < 2 * kHalf; ++k) {
        const double here = coefficients[row * 2 * kHalf + k];
        const double next = coefficients[(row + 1) * 2 * kHalf + k];
        sum += (here + (phase - static_cast<double>(row)) * (next - here)) *
               inputs[channels - 1]
                     [whole - std::ptrdiff_t{kHalf} + 1 + static_cast<std::ptrdiff_t>(k)];
      }
      CHECK(narrow_frames.back() == doctest::Approx(sum).epsilon(1e-4));
    }
  }
}
