// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "core/flush_to_zero.hpp"
#include "dsp/biquad.hpp"
#include "dsp/biquad_kernel.hpp"
#include "dsp/wide_lanes.hpp"

namespace pypac::portable {
void run_biquads(BiquadGroup* groups, std::size_t count) noexcept;
}

using namespace pypac;

namespace {

constexpr double kRate = 48000;

std::vector<float> noise(std::size_t frames, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> level(-1, 1);
  std::vector<float> samples(frames);
  std::generate(samples.begin(), samples.end(), [&] { return level(random); });
  return samples;
}

std::vector<float> tone(double hz, std::size_t frames) {
  std::vector<float> samples(frames);
  for (std::size_t i = 0; i < frames; ++i)
    samples[i] =
        static_cast<float>(std::sin(2 * std::numbers::pi * hz / kRate * static_cast<double>(i)));
  return samples;
}

std::vector<float> processed(BiquadCascade& cascade, std::vector<float> samples,
                             std::size_t block = 480) {
  for (std::size_t begin = 0; begin < samples.size(); begin += block) {
    float* const channel = samples.data() + begin;
    cascade.process(&channel, 1, std::min(block, samples.size() - begin));
  }
  return samples;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::ranges::equal(
      a, b, {}, [](float one) { return std::bit_cast<std::uint32_t>(one); },
      [](float one) { return std::bit_cast<std::uint32_t>(one); });
}

/// The cookbook's own formulas, in doubles and its direct form.
struct Cookbook {
  double b[3];
  double a[3];
  double x[2] = {};
  double y[2] = {};

  double run(double in) {
    const double out = (b[0] * in + b[1] * x[0] + b[2] * x[1] - a[1] * y[0] - a[2] * y[1]) / a[0];
    x[1] = x[0];
    x[0] = in;
    y[1] = y[0];
    y[0] = out;
    return out;
  }
  [[nodiscard]] double gain(double hz) const {
    const std::complex<double> z = std::polar(1.0, -2 * std::numbers::pi * hz / kRate);
    return std::abs((b[0] + b[1] * z + b[2] * z * z) / (a[0] + a[1] * z + a[2] * z * z));
  }
};

struct Shape {
  const char* name;
  BiquadDesign design;
  Cookbook cookbook;
};

std::vector<Shape> shapes(double hz, double q, double gain_db) {
  const double w = 2 * std::numbers::pi * hz / kRate;
  const double c = std::cos(w);
  const double alpha = std::sin(w) / (2 * q);
  const double a = std::pow(10.0, gain_db / 40);
  const double root = 2 * std::sqrt(a) * alpha;
  return {
      {"low_pass",
       BiquadDesign::low_pass(hz, q, kRate),
       {{(1 - c) / 2, 1 - c, (1 - c) / 2}, {1 + alpha, -2 * c, 1 - alpha}}},
      {"high_pass",
       BiquadDesign::high_pass(hz, q, kRate),
       {{(1 + c) / 2, -1 - c, (1 + c) / 2}, {1 + alpha, -2 * c, 1 - alpha}}},
      {"band_pass",
       BiquadDesign::band_pass(hz, q, kRate),
       {{alpha, 0, -alpha}, {1 + alpha, -2 * c, 1 - alpha}}},
      {"notch",
       BiquadDesign::notch(hz, q, kRate),
       {{1, -2 * c, 1}, {1 + alpha, -2 * c, 1 - alpha}}},
      {"peak",
       BiquadDesign::peak(hz, q, kRate, gain_db),
       {{1 + alpha * a, -2 * c, 1 - alpha * a}, {1 + alpha / a, -2 * c, 1 - alpha / a}}},
      {"low_shelf",
       BiquadDesign::low_shelf(hz, q, kRate, gain_db),
       {{a * ((a + 1) - (a - 1) * c + root), 2 * a * ((a - 1) - (a + 1) * c),
         a * ((a + 1) - (a - 1) * c - root)},
        {(a + 1) + (a - 1) * c + root, -2 * ((a - 1) + (a + 1) * c),
         (a + 1) + (a - 1) * c - root}}},
      {"high_shelf",
       BiquadDesign::high_shelf(hz, q, kRate, gain_db),
       {{a * ((a + 1) + (a - 1) * c + root), -2 * a * ((a - 1) + (a + 1) * c),
         a * ((a + 1) + (a - 1) * c - root)},
        {(a + 1) - (a - 1) * c + root, 2 * ((a - 1) - (a + 1) * c), (a + 1) - (a - 1) * c - root}}},
  };
}

}  // namespace

TEST_CASE("each design is the cookbook's, and its float32 cascade follows that in doubles") {
  const std::vector<float> input = noise(48000, 1);
  for (const double hz : {10.0, 60.0, 1000.0, 15000.0}) {
    for (const double q : {0.3, 0.71, 10.0}) {
      for (Shape& shape : shapes(hz, q, hz < 100 ? -18 : 12)) {
        CAPTURE(shape.name);
        CAPTURE(hz);
        CAPTURE(q);
        for (const double at : {10.0, 100.0, 997.0, 20000.0})
          CHECK(shape.design.gain(at, kRate) ==
                doctest::Approx(shape.cookbook.gain(at)).epsilon(1e-6));
        BiquadCascade cascade;
        cascade.set(0, shape.design);
        const std::vector<float> output = processed(cascade, input);
        double error = 0;
        double power = 0;
        for (std::size_t i = 0; i < input.size(); ++i) {
          const double exact = shape.cookbook.run(input[i]);
          error += (output[i] - exact) * (output[i] - exact);
          power += input[i] * input[i];
        }
        CHECK(10 * std::log10(error / power) < -100);
      }
    }
  }
}

TEST_CASE("Butterworth stages are 3 dB down at the corner together") {
  for (std::size_t stages = 1; stages <= 4; ++stages) {
    double gain = 1;
    for (std::size_t k = 0; k < stages; ++k)
      gain *= BiquadDesign::high_pass(80, BiquadDesign::butterworth_q(k, stages), kRate)
                  .gain(80, kRate);
    CHECK(gain == doctest::Approx(std::sqrt(0.5)));
  }
}

TEST_CASE("blocks of any length give the same bits, changes before the last has faded too") {
  const std::vector<float> input = noise(9600, 2);
  const auto run = [&](std::size_t block) {
    BiquadCascade cascade(1000);
    for (std::size_t k = 0; k < 5; ++k)
      cascade.set(k, BiquadDesign::peak(100.0 * (1 << k), 1, kRate, 6));
    std::vector<float> first(input.begin(), input.begin() + 4800);
    std::vector<float> second(input.begin() + 4800, input.end());
    first = processed(cascade, first, block);
    cascade.set(2, BiquadDesign::high_pass(2000, 2, kRate));
    cascade.pass(3);
    cascade.set(7, BiquadDesign::notch(5000, 2, kRate));
    std::vector<float> soon(second.begin(), second.begin() + 400);
    second.erase(second.begin(), second.begin() + 400);
    soon = processed(cascade, soon, block);
    cascade.set(2, BiquadDesign::high_pass(1000, 2, kRate));
    cascade.set(7, BiquadDesign::notch(5000, 2, kRate));
    second = processed(cascade, second, block);
    first.insert(first.end(), soon.begin(), soon.end());
    first.insert(first.end(), second.begin(), second.end());
    return first;
  };
  const std::vector<float> whole = run(4800);
  for (const std::size_t block : {1, 7, 64, 480}) CHECK(same_bits(run(block), whole));
}

TEST_CASE("a bank of unlike cascades gives what each gives alone, bit for bit") {
  constexpr std::size_t kCount = 7;
  constexpr std::size_t kFrames = 333;
  const auto make = [](std::size_t which) {
    BiquadCascade cascade(100);
    for (std::size_t k = 0; k < which; ++k)
      cascade.set((k * 3) % 8, BiquadDesign::low_shelf(60.0 * static_cast<double>(k + 1), 0.8,
                                                       kRate, 3.0 + static_cast<double>(which)));
    return cascade;
  };
  std::vector<BiquadCascade> alone;
  std::vector<BiquadCascade> banked;
  std::vector<std::vector<float>> left;
  std::vector<std::vector<float>> right;
  for (std::size_t i = 0; i < kCount; ++i) {
    alone.push_back(make(i));
    banked.push_back(make(i));
    left.push_back(noise(kFrames, static_cast<unsigned>(10 + i)));
    right.push_back(noise(kFrames, static_cast<unsigned>(30 + i)));
    left.back()[3] = -0.0F;
  }
  for (int round = 0; round < 3; ++round) {
    std::vector<std::vector<float>> l = left;
    std::vector<std::vector<float>> r = right;
    std::vector<std::vector<float>> bank_l = left;
    std::vector<std::vector<float>> bank_r = right;
    std::vector<std::array<float*, 2>> channels(kCount);
    std::vector<BiquadCascade::Job> jobs;
    for (std::size_t i = 0; i < kCount; ++i) {
      if (round == 1 && i % 2 == 1) {
        alone[i].set(1, BiquadDesign::notch(500, 3, kRate));
        banked[i].set(1, BiquadDesign::notch(500, 3, kRate));
      }
      float* const own[] = {l[i].data(), r[i].data()};
      alone[i].process(own, 2, kFrames);
      channels[i] = {bank_l[i].data(), bank_r[i].data()};
      jobs.push_back({&banked[i], channels[i].data(), 2});
    }
    BiquadCascade::process_bank(jobs, kFrames);
    for (std::size_t i = 0; i < kCount; ++i) {
      CAPTURE(i);
      CHECK(same_bits(l[i], bank_l[i]));
      CHECK(same_bits(r[i], bank_r[i]));
    }
    CHECK(same_bits(bank_l[0], left[0]));  // no stage does anything
    CHECK_FALSE(same_bits(bank_l[6], left[6]));
  }
}

TEST_CASE("all builds of the kernel agree bit for bit") {
  for (const std::size_t lanes : {1, 2, 4}) {
    CAPTURE(lanes);
    const auto run = [&](void (*kernel)(BiquadGroup*, std::size_t) noexcept) {
      BiquadGroup group{};
      std::vector<std::vector<float>> samples;
      group.lanes = lanes;
      group.stages = 8;
      group.frames = 477;
      for (std::size_t lane = 0; lane < group.lanes; ++lane)
        samples.push_back(noise(group.frames, static_cast<unsigned>(lane)));
      for (std::size_t lane = 0; lane < group.lanes; ++lane)
        group.samples[lane] = samples[lane].data();
      for (std::size_t k = 0; k < group.stages; ++k) {
        const float values[] = {0.9F, 0.02F, 0.0004F, 1, 0.3F, -0.2F};
        for (std::size_t i = 0; i < 6; ++i)
          std::fill_n(group.stage[k].coefficients[i], 8,
                      values[i] * (1 + 0.001F * static_cast<float>(k)));
        group.stage[k].fades = k == 5 && lanes == 4;
        if (group.stage[k].fades) {
          std::fill_n(group.stage[k].left, 8, 300.0F);
          std::fill_n(group.stage[k].fall, 8, 1 / 480.0F);
          std::fill_n(group.stage[k].old_coefficients[3], 8, 1.0F);
        }
      }
      kernel(&group, 1);
      return samples;
    };
    const auto narrow_samples = run(narrow::run_biquads);
    const auto here = run(chosen_kernel(narrow::run_biquads, PYPAC_WIDE(run_biquads)));
    const auto portable_samples = run(portable::run_biquads);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      CHECK(same_bits(narrow_samples[lane], here[lane]));
      CHECK(same_bits(narrow_samples[lane], portable_samples[lane]));
    }
  }
}

TEST_CASE("many cascades of one stage, some of them short of a lane, give what each gives alone") {
  for (const std::size_t count : {3, 8, 13}) {
    CAPTURE(count);
    std::vector<BiquadCascade> alone(count);
    std::vector<std::vector<float>> samples;
    for (std::size_t i = 0; i < count; ++i) {
      alone[i].set(0, BiquadDesign::high_pass(50.0 * static_cast<double>(i + 1), 0.71, kRate));
      samples.push_back(noise(700, static_cast<unsigned>(i)));
    }
    std::vector<BiquadCascade> banked = alone;
    std::vector<std::vector<float>> together = samples;
    std::vector<std::array<float*, 2>> channels(count);
    std::vector<BiquadCascade::Job> jobs;
    for (std::size_t i = 0; i < count; ++i) {
      channels[i] = {together[i].data(), together[i].data() + 350};
      jobs.push_back({&banked[i], channels[i].data(), 2});
      float* const own[] = {samples[i].data(), samples[i].data() + 350};
      for (int round = 0; round < 2; ++round) alone[i].process(own, 2, 350);
    }
    for (int round = 0; round < 2; ++round) BiquadCascade::process_bank(jobs, 350);
    for (std::size_t i = 0; i < count; ++i) CHECK(same_bits(samples[i], together[i]));
  }
}

TEST_CASE("changes while playing do not click") {
  // 1.05 times the tone's own largest step, as loud as it comes out at most.
  const double own_step = 2 * std::sin(std::numbers::pi * 100 / kRate);
  struct Change {
    BiquadDesign from;
    BiquadDesign to;
    double loudest;
  };
  const Change changes[] = {
      {BiquadDesign::peak(100, 0.71, kRate, -20), BiquadDesign::peak(100, 0.71, kRate, 20), 10},
      {BiquadDesign::peak(100, 0.71, kRate, 20), BiquadDesign::peak(100, 0.71, kRate, -20), 10},
      {BiquadDesign::low_shelf(500, 0.71, kRate, 20),
       BiquadDesign::low_shelf(500, 0.71, kRate, -20), 10},
      {BiquadDesign::high_pass(10, 0.71, kRate), BiquadDesign::high_pass(1000, 0.71, kRate), 1},
      {BiquadDesign::high_pass(1000, 0.71, kRate), BiquadDesign::high_pass(10, 0.71, kRate), 1},
      {BiquadDesign::low_pass(10, 0.71, kRate), BiquadDesign::low_pass(20000, 0.71, kRate), 1},
      {BiquadDesign::low_pass(20000, 0.71, kRate), BiquadDesign::low_pass(10, 0.71, kRate), 1},
  };
  for (const Change& change : changes) {
    CAPTURE(&change - changes);
    for (std::size_t at = 9600; at < 9600 + 480; at += 37) {
      BiquadCascade cascade;
      cascade.set(0, change.from);
      const std::vector<float> input = tone(100, 24000);
      std::vector<float> output =
          processed(cascade, {input.begin(), input.begin() + static_cast<std::ptrdiff_t>(at)});
      cascade.set(0, change.to);
      const std::vector<float> rest =
          processed(cascade, {input.begin() + static_cast<std::ptrdiff_t>(at), input.end()});
      output.insert(output.end(), rest.begin(), rest.end());
      double largest = 0;
      for (std::size_t i = 4800; i < output.size(); ++i)
        largest = std::max<double>(largest, std::abs(output[i] - output[i - 1]));
      CHECK(largest < 1.05 * change.loudest * own_step);
    }
  }
}

TEST_CASE("a stage that comes and goes is heard while it is there, and passes bit for bit then") {
  const std::vector<float> input = tone(1000, 4800);
  BiquadCascade cascade(480);
  CHECK(same_bits(processed(cascade, input), input));
  cascade.set(4, BiquadDesign::notch(1000, 1, kRate));
  processed(cascade, input);
  const std::vector<float> notched = processed(cascade, input);
  CHECK(std::abs(*std::max_element(notched.end() - 480, notched.end())) < 1e-3F);
  cascade.pass(4);
  CHECK_FALSE(same_bits(processed(cascade, input), input));
  CHECK(same_bits(processed(cascade, input), input));
}

TEST_CASE("what is no number does not stay, and silence becomes silence") {
  const ScopedFlushToZero flush_to_zero;
  BiquadCascade cascade;
  cascade.set(0, BiquadDesign::low_pass(1000, 0.71, kRate));
  std::vector<float> input = noise(480, 4);
  input[100] = std::numeric_limits<float>::quiet_NaN();
  input[200] = std::numeric_limits<float>::infinity();
  processed(cascade, input);
  const std::vector<float> next = processed(cascade, noise(480, 5));
  CHECK(std::ranges::all_of(next, [](float one) { return std::isfinite(one); }));
  const std::vector<float> silent = processed(cascade, std::vector<float>(48000));
  CHECK(silent.back() == 0);
}
