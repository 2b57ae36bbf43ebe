// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cmath>

#include "capture/synthetic/synthetic_source.hpp"

using namespace pypac;
using namespace std::chrono_literals;

namespace {

std::int64_t frames_after(const SyntheticSignal& signal, HostTime time) {
  SyntheticSource source(signal, 48000, 2, 480'000);
  source.start(5s);
  source.produce(5s + time);
  std::int64_t frames = 0;
  PacketView packet;
  while (source.feed().peek(0, packet)) {
    frames += packet.frames;
    source.feed().pop();
  }
  return frames;
}

}  // namespace

TEST_CASE("a packet comes once its last frame has been heard, at the skewed clock's rate") {
  SyntheticSignal signal;
  signal.kind = SyntheticSignal::Kind::silence;
  signal.quantum = 100;
  CHECK(frames_after(signal, 0s) == 0);
  CHECK(frames_after(signal, 1s) == 48000);
  signal.skew_ppm = 1000;
  signal.quantum = 42;
  CHECK(frames_after(signal, 1s + 1us) == 48048);
}

TEST_CASE("a tone has its level, the noise stays under its own, and channels are equal") {
  SyntheticSignal signal;
  signal.level_dbfs = -6;
  const double peak = std::pow(10.0, -6.0 / 20);
  for (const auto kind : {SyntheticSignal::Kind::tone, SyntheticSignal::Kind::noise}) {
    signal.kind = kind;
    SyntheticSource source(signal, 48000, 2, 48000);
    source.start(0s);
    source.produce(100ms);
    PacketView packet;
    double highest = 0;
    while (source.feed().peek(0, packet)) {
      for (std::uint32_t i = 0; i < packet.frames; ++i) {
        highest = std::max(highest, static_cast<double>(std::fabs(packet.samples[i])));
        REQUIRE(packet.samples[i] == packet.samples[packet.frames + i]);
      }
      source.feed().pop();
    }
    CHECK(highest == doctest::Approx(peak).epsilon(0.01));
  }
}

TEST_CASE("a drop-out leaves out just the packets that it touches") {
  SyntheticSignal signal;
  signal.kind = SyntheticSignal::Kind::silence;
  for (const double at_s : {0.1, 0.2, 0.3, 0.7}) {
    signal.dropouts = {{at_s, 20.0}};
    CHECK(frames_after(signal, 1s) == 48000 - 960);
  }
}
