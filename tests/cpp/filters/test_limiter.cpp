// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "allocation_counter.hpp"
#include "core/flush_to_zero.hpp"
#include "dsp/true_peak.hpp"
#include "dsp/wide_lanes.hpp"
#include "filters/limiter.hpp"
#include "filters/limiter_kernel.hpp"

using namespace pypac;

namespace {

constexpr std::uint32_t kFrames = 480;

/// Stereo noise that comes and goes, for one of several limiters.
std::vector<float> noise(unsigned seed, std::size_t samples) {
  std::mt19937 random(seed);
  std::normal_distribution<float> value(0, 0.5F);
  std::vector<float> all(samples);
  for (std::size_t i = 0; i < samples; ++i)
    all[i] = value(random) * (i % (5000 + seed * 100) < 2000 ? 1.0F : 0.01F);
  return all;
}

/// A limiter with its stereo block.
struct Track {
  Track(std::size_t index, std::size_t blocks)
      : samples(noise(static_cast<unsigned>(index), 2 * blocks * kFrames)) {
    const std::array<double, 4> values{-1.0 - static_cast<double>(index),
                                       10.0 + 20.0 * static_cast<double>(index),
                                       index % 3 == 0 ? 2.0 : 5.0, index % 2 == 0 ? 1.0 : 0.0};
    limiter.activate({48000, 2, kFrames, values});
  }
  ProcessContext context(std::size_t block) {
    channels = {samples.data() + 2 * block * kFrames, samples.data() + (2 * block + 1) * kFrames};
    return {{channels.data(), 2, kFrames}, {}, {}, 0};
  }

  std::vector<float> samples;
  std::array<float*, 2> channels{};
  Limiter limiter;
};

}  // namespace

TEST_CASE("a bank of limiters gives what each gives alone, bit for bit, and allocates nothing") {
  constexpr std::size_t kBlocks = 40;
  const ScopedFlushToZero flush_to_zero;
  for (const std::size_t count : {1, 2, 3, 5, 8, 19}) {
    std::vector<std::unique_ptr<Track>> alone;
    std::vector<std::unique_ptr<Track>> together;
    std::vector<Filter*> bank;
    for (std::size_t n = 0; n < count; ++n) {
      alone.push_back(std::make_unique<Track>(n, kBlocks));
      together.push_back(std::make_unique<Track>(n, kBlocks));
      bank.push_back(&together.back()->limiter);
    }
    std::vector<ProcessContext> contexts(count);
    for (std::size_t block = 0; block < kBlocks; ++block) {
      for (std::size_t n = 0; n < count; ++n) contexts[n] = together[n]->context(block);
      const std::size_t before = test::allocations();
      bank[0]->process_bank(bank, contexts);
      CHECK(test::allocations() == before);
      for (const auto& track : alone) track->limiter.process(track->context(block));
    }
    for (std::size_t n = 0; n < count; ++n) {
      CHECK(together[n]->samples == alone[n]->samples);
      CHECK(together[n]->limiter.reduction_db() == alone[n]->limiter.reduction_db());
      CHECK(*std::ranges::max_element(alone[n]->samples) > 0.01F);
    }
  }
}

TEST_CASE("a limiter that is reset forgets all") {
  Track fresh(1, 20);
  Track used(1, 20);
  std::vector<float> loud(2 * kFrames, 1.0F);
  std::array<float*, 2> channels{loud.data(), loud.data() + kFrames};
  used.limiter.process({{channels.data(), 2, kFrames}, {}, {}, 0});
  CHECK(used.limiter.reduction_db() > 1);
  used.limiter.reset();
  CHECK(used.limiter.reduction_db() == 0);
  for (std::size_t block = 0; block < 20; ++block) {
    fresh.limiter.process(fresh.context(block));
    used.limiter.process(used.context(block));
  }
  CHECK(used.samples == fresh.samples);
}

TEST_CASE("a limiter's kernels give the same bits in both widths") {
  if (!has_wide_lanes()) return;
  const ScopedFlushToZero flush_to_zero;
  constexpr std::size_t kRows = 11;
  std::vector<std::vector<float>> results[2];
  std::vector<float> samples[2];
  for (const bool is_wide : {false, true}) {
    const auto read = is_wide ? PYPAC_WIDE(limiter_read) : narrow::limiter_read;
    const auto find = is_wide ? PYPAC_WIDE(limiter_reductions) : narrow::limiter_reductions;
    const auto release = is_wide ? PYPAC_WIDE(limiter_release) : narrow::limiter_release;
    const auto largest = is_wide ? PYPAC_WIDE(limiter_largest) : narrow::limiter_largest;
    const auto write = is_wide ? PYPAC_WIDE(limiter_write) : narrow::limiter_write;
    std::vector<float> heard = noise(9, 2000);
    heard[700] = NAN;
    samples[is_wide].resize(2000);
    read(heard.data(), samples[is_wide].data(), 2000);
    const std::vector<float> ceilings(kFrames + kLanePadding, 0.5F);
    std::vector<float*> rows;
    for (std::size_t n = 0; n < kRows; ++n) {
      results[is_wide].emplace_back(kFrames + kLanePadding);
      const float* const from = samples[is_wide].data() + 100 * n + 50;
      CHECK(find({&from, 1, ceilings.data(), 477, n % 2 == 0 ? &true_peak_taps() : nullptr},
                 results[is_wide][n].data()));
      rows.push_back(results[is_wide][n].data());
    }
    std::vector<float> decays(kRows, 0.99F);
    std::vector<float> states(kRows, 0.1F);
    release({rows.data(), decays.data(), states.data(), kRows, 477});
    for (std::vector<float>& row : results[is_wide]) {
      row.resize(477);
      row.push_back(largest(row.data(), 477));
      write(samples[is_wide].data(), row.data(), 0.5F, row.data(), 477);
    }
    results[is_wide].push_back(states);
  }
  CHECK(samples[0][700] == 0);
  CHECK(samples[0] == samples[1]);
  CHECK(results[0] == results[1]);
}
