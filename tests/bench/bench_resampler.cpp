// SPDX-License-Identifier: MIT
// What a stereo frame costs to be resampled by 100 ppm, in ns of CPU time, and how clean a tone of
// 18013 Hz at -1 dBFS comes out.
//   bench_resampler SECONDS
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <numbers>
#include <vector>

#include "timeline/resampler.hpp"

int main(int argc, char** argv) {
  using namespace pypac;
  constexpr std::uint32_t kRate = 48000;
  constexpr std::uint32_t kBlock = 480;
  constexpr double kIncrement = 1 + 100e-6;
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 10;
  const Resampler& resampler = Resampler::for_step(1 / kIncrement);
  const double turns = 18013.0 / kRate;
  const double level = std::pow(10.0, -1.0 / 20);
  std::vector<float> input(3 * kRate);
  for (std::size_t i = 0; i < input.size(); ++i)
    input[i] =
        static_cast<float>(level * std::sin(2 * std::numbers::pi * turns * static_cast<double>(i)));
  std::vector<float> left(2 * kRate);
  std::vector<float> right(2 * kRate);
  const float* const inputs[] = {input.data() + kBlock, input.data() + kBlock};
  const std::clock_t begin = std::clock();
  for (int second = 0; second < seconds; second += 2) {
    for (std::uint32_t at = 0; at < 2 * kRate; at += kBlock) {
      float* const outputs[] = {left.data() + at, right.data() + at};
      resampler.read(inputs, 2, at, kIncrement, kBlock, outputs);
    }
  }
  const double cpu = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  // What is left of the tone once the best fitting sine is taken out.
  double sums[5] = {};
  const auto angle = [&](std::size_t i) {
    return 2 * std::numbers::pi * turns * kIncrement * static_cast<double>(i);
  };
  for (std::size_t i = 0; i < left.size(); ++i) {
    const double s = std::sin(angle(i));
    const double c = std::cos(angle(i));
    sums[0] += s * s;
    sums[1] += s * c;
    sums[2] += c * c;
    sums[3] += s * left[i];
    sums[4] += c * left[i];
  }
  const double det = sums[0] * sums[2] - sums[1] * sums[1];
  const double a = (sums[3] * sums[2] - sums[4] * sums[1]) / det;
  const double b = (sums[4] * sums[0] - sums[3] * sums[1]) / det;
  double rest = 0;
  double power = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const double tone = a * std::sin(angle(i)) + b * std::cos(angle(i));
    rest += (left[i] - tone) * (left[i] - tone);
    power += tone * tone;
  }
  const double rounds = std::ceil(seconds / 2.0);
  std::printf("{\"ns_a_frame\": %.3f, \"thd_n_db\": %.2f}\n", cpu * 1e9 / (rounds * 2 * kRate),
              10 * std::log10(rest / power));
  return 0;
}
