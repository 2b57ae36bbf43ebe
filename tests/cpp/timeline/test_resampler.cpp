// SPDX-License-Identifier: MIT
#include "timeline/resampler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <random>
#include <vector>

namespace {

using pypac::resample;
using pypac::Resampler;

std::vector<float> sine(double frequency, double rate, std::size_t frames, double level = 0.5) {
  std::vector<float> signal(frames);
  for (std::size_t i = 0; i < frames; ++i)
    signal[i] = static_cast<float>(
        level * std::sin(2 * std::numbers::pi * frequency / rate * static_cast<double>(i)));
  return signal;
}

/// Everything but the best fitting sine of that frequency, in dB below it.
double thd_n_db(const std::vector<float>& signal, double frequency, double rate,
                std::size_t margin) {
  // Least squares of sine, cosine and a constant; the sums are short of singular by far.
  double a[3][4] = {};
  for (std::size_t i = margin; i < signal.size() - margin; ++i) {
    const double angle = 2 * std::numbers::pi * frequency / rate * static_cast<double>(i);
    const double basis[3] = {std::sin(angle), std::cos(angle), 1};
    for (int r = 0; r < 3; ++r) {
      for (int c = 0; c < 3; ++c) a[r][c] += basis[r] * basis[c];
      a[r][3] += basis[r] * signal[i];
    }
  }
  for (int p = 0; p < 3; ++p) {
    for (int r = 0; r < 3; ++r) {
      if (r == p) continue;
      const double factor = a[r][p] / a[p][p];
      for (int c = p; c < 4; ++c) a[r][c] -= factor * a[p][c];
    }
  }
  const double s = a[0][3] / a[0][0];
  const double k = a[1][3] / a[1][1];
  const double offset = a[2][3] / a[2][2];
  double rest = 0;
  double power = 0;
  for (std::size_t i = margin; i < signal.size() - margin; ++i) {
    const double angle = 2 * std::numbers::pi * frequency / rate * static_cast<double>(i);
    const double tone = s * std::sin(angle) + k * std::cos(angle);
    const double error = signal[i] - tone - offset;
    rest += error * error;
    power += tone * tone;
  }
  return 10 * std::log10(rest / power);
}

}  // namespace

TEST_CASE("a tone stays clean at drift ratios and from 44.1 to 48 kHz") {
  for (const double ratio : {1 + 500e-6, 1 - 500e-6, 1 + 20e-6, 48000.0 / 44100, 44100.0 / 48000}) {
    for (const double frequency : {997.0, 10000.0}) {
      const double rate = ratio > 1.01 ? 44100 : 48000;
      const auto output = resample(sine(frequency, rate, 96000), ratio);
      const double db = thd_n_db(output, frequency, rate * ratio, 400);
      std::printf("THD+N %7.0f Hz, ratio %.6f: %.1f dB\n", frequency, ratio, db);
      CHECK(db < (frequency < 5000 ? -110 : -100));
    }
  }
}

TEST_CASE("whole positions give the input bit for bit") {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> level(-1, 1);
  std::vector<float> noise(5000);
  std::generate(noise.begin(), noise.end(), [&] { return level(random); });
  CHECK(resample(noise, 1) == noise);
}
