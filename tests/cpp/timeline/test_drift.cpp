// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <vector>

#include "allocation_counter.hpp"
#include "simulated_clock.hpp"
#include "timeline/aligner.hpp"
#include "timeline/clock_domain.hpp"

using namespace pypac;
using namespace pypac::test;

namespace {

constexpr std::uint32_t kBlock = 480;
constexpr std::uint32_t kLargestPacket = 2048;
// The device plays the true time: the phase of a sine and a cosine of 48 Hz, a turn of 1000 frames
// of the timeline.
constexpr double kTone = 48;

// Without optimisation, and with sanitizers, a part is enough.
#ifdef NDEBUG
const std::vector<double> kSkews{0, 20, -20, 200, -200, 500, -500};
constexpr double kHours = 24;
#else
const std::vector<double> kSkews{20, -500};
constexpr double kHours = 4;
#endif

/// A source that captures the true time, its aligner, and how far what comes out is from it.
struct Tap {
  Tap() : aligner(2, kBlock, kLargestPacket), packet(2 * kLargestPacket), block(2 * kBlock) {}

  void push(const Stamp& stamp, std::uint32_t frames, double seconds, double frame_seconds) {
    for (std::uint32_t i = 0; i < frames; ++i) {
      const double angle = 2 * std::numbers::pi * kTone * (seconds + i * frame_seconds);
      packet[i] = static_cast<float>(0.5 * std::cos(angle));
      packet[frames + i] = static_cast<float>(0.5 * std::sin(angle));
    }
    PacketView view;
    view.stamp = stamp;
    view.frames = frames;
    view.samples = packet.data();
    const std::size_t before = allocations();
    REQUIRE(aligner.has_room(frames));
    CHECK(aligner.place(view, nullptr, true, gaps));
    allocated += allocations() - before;
  }

  /// The next block, if it has come.
  bool pull() {
    if (aligner.covered_until() < taken + kBlock) return false;
    full = take(Cause::stalled) == kBlock;
    return true;
  }

  /// The next block, come or not; returns how much of it was captured.
  std::uint32_t take(Cause absence) {
    float* const room[2] = {block.data(), block.data() + kBlock};
    const std::size_t before = allocations();
    const Aligner::Taken given = aligner.take(taken, kBlock, room, absence, gaps);
    for (std::uint32_t c = 0; c < 2; ++c)
      std::copy_n(given.channels[c], given.channels[c] == room[c] ? 0 : kBlock, room[c]);
    allocated += allocations() - before;
    taken += kBlock;
    return given.captured;
  }

  /// Frames by which frame i of the last block is later than its place.
  [[nodiscard]] double error(std::uint32_t i) const {
    const double heard = std::atan2(block[kBlock + i], block[i]) / (2 * std::numbers::pi) * 1000;
    const auto place = static_cast<double>((taken - kBlock + i) % 1000);
    return std::remainder(place - heard, 1000);
  }

  Aligner aligner;
  std::vector<float> packet;
  std::vector<float> block;
  CountingGaps gaps;
  Frames taken = 0;
  bool full = false;  // the last block was captured, all of it
  std::size_t allocated = 0;
};

struct Measured {
  double settled_s = 0;  // the second from which each second's RMS stays below a frame
  double rms = 0;        // from settled_by on
  double worst = 0;
};

template <typename EachCycle>
Measured measure(SimulatedClock clock, double seconds, double settled_by, EachCycle each_cycle,
                 std::uint32_t quantum) {
  ClockDomain domain(48000);
  domain.set_origin(SimulatedClock::kStart);
  Tap tap;
  Measured measured;
  double second_sum = 0;
  int second_count = 0;
  double sum = 0;
  double count = 0;
  std::size_t allocated = 0;
  const auto cycles_a_second = 48000 / quantum;
  for (std::uint32_t cycle = 0;; ++cycle) {
    each_cycle(clock);
    const ClockReading reading = clock.next();
    if (clock.true_seconds() >= seconds) break;
    Stamp stamp;
    const std::size_t before = allocations();
    const bool stamped = domain.stamp(reading, stamp);
    allocated += allocations() - before;
    REQUIRE(stamped);
    // An eighth of each second is heard, which is enough and saves time.
    if (cycle % cycles_a_second < cycles_a_second / 8)
      tap.push(stamp, quantum, clock.true_seconds(), clock.frame_seconds());
    while (tap.pull()) {
      // Not the kernel's half at the edges, which reads silence.
      for (std::uint32_t i = 60; tap.full && i < kBlock - 40; i += 60) {
        const double error = tap.error(i);
        second_sum += error * error;
        ++second_count;
        if (static_cast<double>(tap.taken) > settled_by * 48000) {
          sum += error * error;
          ++count;
          measured.worst = std::max(measured.worst, std::abs(error));
        }
      }
      if (tap.taken % 48000 == 0 && second_count > 0) {
        if (second_sum / second_count > 1)
          measured.settled_s = static_cast<double>(tap.taken) / 48000;
        second_sum = 0;
        second_count = 0;
      }
    }
  }
  REQUIRE(count > 100);
  measured.rms = std::sqrt(sum / count);
  CHECK(tap.aligner.late_frames() == 0);
  CHECK(tap.allocated + allocated == 0);
  return measured;
}

}  // namespace

TEST_CASE("a drifting source is held within a frame RMS of its true place, measured in the sound") {
  std::printf("jitter ms  skew ppm  settled s  then RMS frames  worst\n");
  for (const double jitter : {0.0, 0.2e-3, 1e-3}) {
    for (const double skew : kSkews) {
      const double seconds = jitter > 0.5e-3 ? 150 : 40;
      const double settled_by = jitter > 0.5e-3 ? 75 : 20;
      const Measured measured = measure(
          SimulatedClock(48000, 480, skew, jitter, 3), seconds, settled_by, [](SimulatedClock&) {},
          480);
      std::printf("%9.1f  %8.0f  %9.0f  %15.3f  %5.2f\n", jitter * 1e3, skew, measured.settled_s,
                  measured.rms, measured.worst);
      CHECK(measured.rms < 1);
      if (jitter == 0) CHECK(measured.rms < 0.3);
    }
  }
}

TEST_CASE("44.1 kHz comes out in its place") {
  const Measured measured =
      measure(SimulatedClock(44100, 441, 50, 0), 30, 10, [](SimulatedClock&) {}, 441);
  std::printf("44.1 kHz, 50 ppm: RMS %.3f frames\n", measured.rms);
  CHECK(measured.rms < 0.5);
}

TEST_CASE("a sudden change of drift is followed") {
  for (const double jitter : {0.0, 0.2e-3}) {
    bool changed = false;
    const Measured measured = measure(
        SimulatedClock(48000, 480, 20, jitter), 90, 75,
        [&](SimulatedClock& clock) {
          if (!changed && clock.true_seconds() > 40) {
            clock.set_skew(-100);
            changed = true;
          }
        },
        480);
    std::printf("20 ppm turns into -100 at 40 s, jitter %.1f ms: settled at %.0f s, RMS %.3f\n",
                jitter * 1e3, measured.settled_s, measured.rms);
    CHECK(measured.rms < 1);
    CHECK(measured.settled_s < 75);
  }
}

TEST_CASE("two sources of one clock that start at different times are equal frame for frame") {
  for (const double skew : {0.0, 37.0}) {
    ClockDomain domain(48000);
    domain.set_origin(SimulatedClock::kStart);
    SimulatedClock clock(48000, 1024, skew, skew == 0 ? 0 : 0.2e-3);
    Tap early;
    Tap late;
    bool equal = true;
    double level = 0;
    while (clock.true_seconds() < 12) {
      Stamp stamp;
      const ClockReading reading = clock.next();
      REQUIRE(domain.stamp(reading, stamp));
      early.push(stamp, 1024, clock.true_seconds(), clock.frame_seconds());
      if (clock.true_seconds() > 7.3)
        late.push(stamp, 1024, clock.true_seconds(), clock.frame_seconds());
      while (early.pull()) {
        if (!late.pull()) late.take(Cause::not_running);
        if (static_cast<double>(early.taken) > 8 * 48000) {
          equal = equal && early.block == late.block;
          level = std::max<double>(level, std::abs(late.block[0]));
        }
      }
    }
    CHECK(equal);
    CHECK(level > 0.4);
    CHECK(domain.locked() == (skew == 0));
  }
}

TEST_CASE("a day goes by within a frame") {
  for (const double skew : {0.0, 12.5}) {
    ClockDomain domain(48000);
    domain.set_origin(SimulatedClock::kStart);
    SimulatedClock clock(48000, 2048, skew, 0.05e-3);
    double worst = 0;
    double sum = 0;
    double count = 0;
    Stamp stamp;
    Stamp last;
    double worst_break = 0;
    while (clock.true_seconds() < kHours * 3600) {
      REQUIRE(domain.stamp(clock.next(), stamp));
      const double error = stamp.timeline - clock.true_seconds() * 48000;
      if (clock.true_seconds() > 60) {
        sum += error * error;
        ++count;
        worst = std::max(worst, std::abs(error));
        worst_break =
            std::max(worst_break, std::abs(last.timeline + 2048 * last.step - stamp.timeline));
      }
      last = stamp;
    }
    std::printf("%.0f h at %.1f ppm, 0.05 ms jitter: RMS %.3f frames, worst %.2f\n", kHours, skew,
                std::sqrt(sum / count), worst);
    CHECK(std::sqrt(sum / count) < 0.5);
    CHECK(worst < 1.5);
    CHECK(worst_break < 2e-6);
    CHECK(stamp.epoch == 1);
    CHECK(domain.locked() == (skew == 0));
  }
}

TEST_CASE("going from locked to tracking and back leaves no step in the sound") {
  // 997 Hz through a clock that is exact for 5 s, then 60 ppm fast for 20 s, then exact again.
  ClockDomain domain(48000);
  domain.set_origin(SimulatedClock::kStart);
  SimulatedClock clock(48000, 480, 0, 0);
  Aligner aligner(1, kBlock, 480);
  CountingGaps gaps;
  std::vector<float> samples(480);
  std::vector<float> sound;
  Frames taken = 0;
  bool was_locked = true;
  int changes = 0;
  const double turn = 2 * std::numbers::pi * 997 / 48000;
  std::int64_t position = 0;
  while (clock.true_seconds() < 80) {
    if (clock.true_seconds() > 5) clock.set_skew(60);
    if (clock.true_seconds() > 25) clock.set_skew(0);
    Stamp stamp;
    REQUIRE(domain.stamp(clock.next(), stamp));
    for (float& sample : samples)
      sample = static_cast<float>(0.5 * std::sin(turn * static_cast<double>(position++)));
    PacketView packet;
    packet.stamp = stamp;
    packet.frames = 480;
    packet.samples = samples.data();
    REQUIRE(aligner.place(packet, nullptr, true, gaps));
    while (aligner.covered_until() >= taken + kBlock) {
      std::array<float, kBlock> room{};
      float* out = room.data();
      const float* const block =
          aligner.take(taken, kBlock, &out, Cause::stalled, gaps).channels[0];
      sound.insert(sound.end(), block, block + kBlock);
      taken += kBlock;
    }
    if (domain.locked() != was_locked) ++changes;
    was_locked = domain.locked();
  }
  CHECK(changes == 2);
  CHECK(was_locked);
  CHECK(gaps.count == 0);
  // A sine obeys x[n+1] + x[n-1] = 2 cos(w) x[n]. A click would break that; a drift of some hundred
  // ppm changes it by less than 1e-5 of full scale.
  double worst = 0;
  for (std::size_t i = 1000; i + 1 < sound.size(); ++i)
    worst = std::max(worst,
                     std::abs(sound[i + 1] + double{sound[i - 1]} - 2 * std::cos(turn) * sound[i]));
  std::printf("locked, tracking, locked: worst break of the sine %.1f dBFS\n",
              20 * std::log10(worst));
  CHECK(worst < 2e-5);
}
