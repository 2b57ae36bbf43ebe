// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numbers>
#include <thread>
#include <vector>

#include "allocation_counter.hpp"
#include "sinks/playout.hpp"

using namespace pypac;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kRate = 48000;
constexpr std::uint32_t kBlock = 480;
constexpr Frames kLatency = 1920;
constexpr Frames kSpare = 960;
constexpr HostTime kOrigin = 100s;

/// Two tracks, stereo and mono, a pump that is always on time, and a graph's clock. Sample c of
/// frame n is n + 1 + c / 2 in the first track and the negative in the second: never silence.
struct Bench {
  Playout playout{{kRate, kBlock, kLatency, kSpare}, {2, 1}};
  TimelineAnchor anchor{kOrigin, kRate};
  Frames pumped = 0;
  std::int64_t position = 7'000'000;
  HostTime time = kOrigin + 1s;
  double skew = 0;  // of the graph's clock
  std::uint32_t quantum = 1024;
  bool pumping = true;
  Frames told = 0;
  std::size_t allocated = 0;

  Bench() { playout.start(anchor); }

  static float sample(Frames frame) { return static_cast<float>(frame + 1); }

  void pump_block() {
    std::vector<float> left(kBlock);
    std::vector<float> right(kBlock);
    std::vector<float> mono(kBlock);
    for (std::uint32_t i = 0; i < kBlock; ++i) {
      left[i] = sample(pumped + i);
      right[i] = sample(pumped + i) + 0.5F;
      mono[i] = -sample(pumped + i);
    }
    const float* stereo[] = {left.data(), right.data()};
    const float* single[] = {mono.data()};
    const std::size_t before = test::allocations();
    if (playout.begin_block(pumped, kBlock)) {
      playout.write_track(0, stereo);
      playout.write_track(1, single);
      playout.commit_block();
    }
    told += playout.take_lost();
    allocated += test::allocations() - before;
    pumped += kBlock;
  }

  void pump() {
    while (pumping && anchor.host_time_of(pumped + kBlock + kLatency) <= time) pump_block();
  }

  [[nodiscard]] ClockReading clock() const {
    ClockReading reading;
    reading.clock_id = 1;
    reading.rate = kRate;
    reading.position = position;
    reading.frames = quantum;
    reading.host_time = time;
    return reading;
  }

  void next_cycle() {
    position += quantum;
    time += HostTime(std::llround(quantum * 1e9 / kRate / (1 + skew)));
  }

  /// The left side of a track, at the clock that is shown.
  std::vector<float> play(std::size_t track) { return play(track, clock()); }
  std::vector<float> play(std::size_t track, const ClockReading& reading) {
    std::vector<float> left(quantum, -1);
    std::vector<float> right(quantum, -1);
    float* const out[] = {left.data(), right.data()};
    const std::size_t before = test::allocations();
    playout.play(track, reading, quantum, out);
    allocated += test::allocations() - before;
    if (track == 0) {
      bool same = true;
      for (std::uint32_t i = 0; i < quantum; ++i)
        same = same && (left[i] == 0 ? right[i] == 0 : right[i] == left[i] + 0.5F);
      if (skew == 0) CHECK(same);
    }
    return left;
  }
};

std::vector<float> numbers(Frames begin, std::size_t frames, float sign = 1) {
  std::vector<float> all(frames);
  for (std::size_t i = 0; i < frames; ++i)
    all[i] = sign * Bench::sample(begin + static_cast<Frames>(i));
  return all;
}

}  // namespace

TEST_CASE("a cycle plays what host time says, less the delay, bit for bit and in all tracks") {
  Bench bench;
  Frames expected = 43616;
  for (int cycle = 0; cycle < 500; ++cycle) {
    bench.pump();
    CHECK(bench.play(0) == numbers(expected, 1024));
    CHECK(bench.play(1) == numbers(expected, 1024, -1));
    expected += 1024;
    bench.next_cycle();
  }
  CHECK(bench.playout.delay_frames() == kLatency + kBlock + kSpare + 1024);
  CHECK(bench.told == 0);
  CHECK(bench.allocated == 0);
}

TEST_CASE("a track that is started later gives the frames of the others") {
  Bench bench;
  for (int cycle = 0; cycle < 100; ++cycle) {
    bench.pump();
    const auto first = bench.play(0);
    if (cycle == 50) bench.playout.rest(1);
    if (cycle > 30 && cycle != 50) CHECK(bench.play(1)[0] == -first[0]);
    bench.next_cycle();
  }
  CHECK(bench.told == 0);
}

TEST_CASE("before the session there is silence, and behind its end too; nothing is lost by it") {
  Bench bench;
  bench.time = kOrigin - 500ms;
  std::vector<float> heard;
  for (int cycle = 0; cycle < 100; ++cycle) {
    if (bench.pumped >= 48000 && bench.pumping) {
      bench.pumping = false;
      bench.playout.finish();
    }
    bench.pump();
    const auto block = bench.play(0);
    heard.insert(heard.end(), block.begin(), block.end());
    bench.next_cycle();
  }
  const auto begin = std::find_if(heard.begin(), heard.end(), [](float each) { return each != 0; });
  REQUIRE(heard.end() - begin > bench.pumped);
  CHECK(std::vector<float>(begin, begin + bench.pumped) ==
        numbers(0, static_cast<std::size_t>(bench.pumped)));
  CHECK(std::all_of(begin + bench.pumped, heard.end(), [](float each) { return each == 0; }));
  CHECK(bench.playout.lost_frames(0) == 0);
}

TEST_CASE("a late callback that reads the next cycle's clock gives its own frames, and is told") {
  Bench bench;
  Frames expected = 43616;
  for (int cycle = 0; cycle < 50; ++cycle) {
    bench.pump();
    const ClockReading now = bench.clock();
    CHECK(bench.play(0, now) == numbers(expected, 1024));
    bench.next_cycle();
    bench.pump();
    CHECK(bench.play(1, cycle % 10 == 5 ? bench.clock() : now) == numbers(expected, 1024, -1));
    expected += 1024;
  }
  CHECK(bench.playout.lost_frames(0) == 0);
  CHECK(bench.playout.lost_frames(1) == 5 * 1024);
}

TEST_CASE("where cycles are lost the frames go on at their place, and the loss is told once") {
  Bench bench;
  Frames expected = 43616;
  for (int cycle = 0; cycle < 60; ++cycle) {
    bench.pump();
    const auto block = bench.play(0);
    if (cycle < 20 || cycle > 21) CHECK(block == numbers(expected, 1024));
    const int steps = cycle == 19 ? 4 : 1;
    for (int i = 0; i < steps; ++i) bench.next_cycle();
    expected += steps * 1024;
  }
  bench.pump();
  CHECK(bench.playout.lost_frames(0) == 3 * 1024);
  CHECK(bench.told == 3 * 1024);
}

TEST_CASE(
    "longer cycles delay more: silence is inserted, no frame comes twice, nor is one left out") {
  Bench bench;
  std::vector<float> heard;
  for (const std::uint32_t quantum : {1024U, 2048U, 512U, 2048U}) {
    bench.quantum = quantum;
    for (int cycle = 0; cycle < 40; ++cycle) {
      bench.pump();
      const auto block = bench.play(0);
      heard.insert(heard.end(), block.begin(), block.end());
      bench.next_cycle();
    }
  }
  const auto silent = std::count(heard.begin(), heard.end(), 0.0F);
  CHECK(silent == 1024);
  std::erase(heard, 0.0F);
  CHECK(heard == numbers(43616, heard.size()));
  CHECK(bench.playout.lost_frames(0) == 1024);
  CHECK(bench.playout.delay_frames() == kLatency + kBlock + kSpare + 2048);
}

TEST_CASE("while nobody plays nothing is lost, and the delay starts afresh") {
  Bench bench;
  bench.quantum = 4096;
  bench.pump();
  bench.play(0);
  bench.playout.rest(0);
  bench.time += 700s;
  bench.position = 12;
  bench.quantum = 256;
  bench.pump();
  const Frames expected = static_cast<Frames>(701) * kRate - kLatency - kBlock - kSpare - 256;
  CHECK(bench.play(0) == numbers(expected, 256));
  CHECK(bench.playout.lost_frames(0) == 0);
  CHECK(bench.told == 0);
}

TEST_CASE("a pump that comes too late costs its own frames, and what follows is in its place") {
  Bench bench;
  Frames expected = 43616;
  for (int cycle = 0; cycle < 60; ++cycle) {
    bench.pumping = cycle < 20 || cycle >= 25;
    bench.pump();
    const auto block = bench.play(0);
    if (cycle < 20 || cycle >= 25) CHECK(block == numbers(expected, 1024));
    if (cycle == 24) CHECK(std::count(block.begin(), block.end(), 0.0F) == 1024);
    expected += 1024;
    bench.next_cycle();
  }
  CHECK(bench.told == bench.playout.lost_frames(0));
  // Five cycles less what the spare covers.
  CHECK(bench.told >= 5 * 1024 - kSpare - kBlock);
  CHECK(bench.told <= 5 * 1024);
}

// With sanitizers a part is enough.
#ifdef NDEBUG
constexpr int kDriftingCycles = 3000;  // 64 s: 13 ms of skew
#else
constexpr int kDriftingCycles = 1200;
#endif

TEST_CASE("a clock that drifts gets a smooth signal, the same in all tracks, at a constant delay") {
  for (const double ppm : {200.0, -200.0}) {
    Bench bench;
    bench.skew = ppm * 1e-6;
    double worst = 0;
    float apart = 0;
    float before = 0;
    Frames off = 0;
    for (int cycle = 0; cycle < kDriftingCycles; ++cycle) {
      bench.pump();
      const auto left = bench.play(0);
      const auto mono = bench.play(1);
      // Samples count frames, so what the resampler gives is the place that was read.
      if (cycle > 500) {
        for (std::uint32_t i = 0; i < 1024; ++i) {
          const double step = static_cast<double>(left[i]) - before;
          worst = std::max(worst, std::abs(step - 1));
          before = left[i];
          apart = std::max(apart, std::abs(left[i] + mono[i]));
        }
        const double at = std::chrono::duration<double>(bench.time - kOrigin).count() * kRate;
        off = std::max<Frames>(off, std::llabs(std::llround(at - static_cast<double>(left[0] - 1)) -
                                               bench.playout.delay_frames()));
      } else {
        before = left[1023];
      }
      bench.next_cycle();
    }
    CHECK(apart < 1);
    CHECK(worst < 2);  // a float holds no fractions of a frame at three million
    CHECK(off <= 2);
    CHECK(bench.playout.lost_frames(0) == 0);
    CHECK(bench.allocated == 0);
  }
}

TEST_CASE("the pump writes while tracks play") {
  Bench bench;
  std::atomic<bool> done{false};
  std::thread pump([&] {
    for (int block = 0; block < 4000; ++block) bench.pump_block();
    done = true;
  });
  Frames played = 0;
  Frames wrong = 0;
  std::vector<float> left(1024);
  std::vector<float> right(1024);
  float* const out[] = {left.data(), right.data()};
  ClockReading clock = bench.clock();
  while (!done) {
    bench.playout.play(0, clock, 1024, out);
    for (std::uint32_t i = 0; i < 1024; ++i) {
      if (left[i] == 0) continue;
      ++played;
      if (right[i] != left[i] + 0.5F) ++wrong;
    }
    clock.position += 1024;
    clock.host_time += HostTime(21'333'333);
  }
  pump.join();
  CHECK(wrong == 0);
  CHECK(played >= 0);
}
