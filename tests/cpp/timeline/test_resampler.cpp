// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <random>
#include <vector>

#include "timeline/resampler.hpp"

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

#ifdef __GNUC__
/// Three channels of `in`, read from a stack that lies so many bytes deeper.
[[gnu::noinline]] std::vector<float> read_deeper(std::size_t bytes, const float* in) {
  std::vector<float> samples(std::size_t{3} * 500);
  const float* const inputs[] = {in, in + 1, in + 2};
  float* const outputs[] = {samples.data(), samples.data() + 500, samples.data() + 1000};
  volatile auto* const room = static_cast<volatile char*>(__builtin_alloca(bytes));
  room[0] = 0;
  Resampler::for_step(1.0002).read(inputs, 3, 0.125, 1 / 1.0002, 500, outputs);
  return samples;
}
#endif

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

TEST_CASE("a full-band signal is read between its frames as the exact sum says") {
  // Forty tones up to 20 kHz, whose values between the frames are known in double precision.
  std::mt19937 random(2);
  std::uniform_real_distribution<double> any(0, 1);
  std::vector<double> frequency(40);
  std::vector<double> phase(40);
  for (std::size_t k = 0; k < 40; ++k) {
    frequency[k] = 500.0 * static_cast<double>(k + 1);
    phase[k] = 2 * std::numbers::pi * any(random);
  }
  auto value = [&](double frame) {
    double sum = 0;
    for (std::size_t k = 0; k < 40; ++k)
      sum += 0.02 * std::sin(2 * std::numbers::pi * frequency[k] / 48000 * frame + phase[k]);
    return sum;
  };
  std::vector<float> input(8000);
  for (std::size_t i = 0; i < input.size(); ++i)
    input[i] = static_cast<float>(value(static_cast<double>(i)));
  for (const double ratio : {1 + 500e-6, 48000 / 44100.0}) {
    const auto output = resample(input, ratio);
    double error = 0;
    double power = 0;
    for (std::size_t i = 100; i + 100 < output.size(); ++i) {
      const double exact = value(static_cast<double>(i) / ratio);
      error += (output[i] - exact) * (output[i] - exact);
      power += exact * exact;
    }
    const double db = 10 * std::log10(error / power);
    std::printf("40 tones to 20 kHz, ratio %.4f: error %.1f dB\n", ratio, db);
    CHECK(db < -100);
  }
}

TEST_CASE("what the lower rate cannot hold is taken out") {
  const auto output = resample(sine(40000, 96000, 20000), 0.5);
  float peak = 0;
  for (std::size_t i = 300; i + 300 < output.size(); ++i)
    peak = std::max(peak, std::abs(output[i]));
  CHECK(peak < 1e-5F);
  CHECK(thd_n_db(resample(sine(15000, 96000, 20000), 0.5), 15000, 48000, 300) < -100);
}

TEST_CASE("every kernel gives a constant back") {
  const std::vector<float> ones(4000, 1.0F);
  for (const double step : {1.0884, 0.9999, 0.91875, 0.5443, 0.5, 0.27, 0.25, 0.22, 0.125}) {
    const Resampler& resampler = Resampler::for_step(step);
    CHECK(resampler.half_width() <= Resampler::kMaxHalfWidth);
    const float* input = ones.data() + 400;
    std::vector<float> output(300);
    float* out = output.data();
    resampler.read(&input, 1, 0.37, 1 / step, 300, &out);
    for (const float sample : output) CHECK(std::abs(sample - 1) < 2e-6F);
  }
}

TEST_CASE("how a stretch is divided makes no difference to a single bit") {
  const auto input = sine(997, 48000, 3000);
  const Resampler& resampler = Resampler::for_step(1.0002);
  const float* in = input.data() + 100;
  std::vector<float> whole(2000);
  std::vector<float> pieces(2000);
  float* out = whole.data();
  resampler.read(&in, 1, 0.125, 1 / 1.0002, 2000, &out);
  for (std::uint32_t begin = 0; begin < 2000; begin += 125) {
    out = pieces.data() + begin;
    resampler.read(&in, 1, 0.125 + begin, 1 / 1.0002, 125, &out);
  }
  CHECK(whole == pieces);
}

#ifdef __GNUC__
TEST_CASE("how the stack is aligned makes no difference to a single bit") {
  // Windows aligns it to 16 bytes, and the wide vectors there are of 32.
  const auto input = sine(997, 48000, 1000);
  const auto expected = read_deeper(16, input.data() + 100);
  CHECK(*std::max_element(expected.begin(), expected.end()) > 0.49F);
  for (std::size_t bytes = 32; bytes <= 128; bytes += 16) {
    CAPTURE(bytes);
    CHECK(read_deeper(bytes, input.data() + 100) == expected);
  }
}
#endif
