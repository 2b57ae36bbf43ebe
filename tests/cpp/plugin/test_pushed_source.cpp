// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <vector>

#include "core/host_clock.hpp"
#include "core/thread_role.hpp"
#include "plugin/pushed_source.hpp"

using namespace pypac;
using namespace std::chrono_literals;

namespace {

struct Gap {
  Cause cause;
  Frames begin;
  Frames frames;
  bool operator==(const Gap&) const = default;
};

struct Gaps final : GapSink {
  void incident(Cause cause, Frames begin, Frames frames) noexcept override {
    all.push_back({cause, begin, frames});
  }
  std::vector<Gap> all;
};

constexpr std::uint32_t kBlock = 480;

/// What a source gives, block by block; each frame that is pushed carries its own number.
struct Read {
  ManualClock clock;
  PushedSource source{48000, 2, 9600, clock};
  Gaps gaps;
  std::vector<float> left;
  std::vector<float> right;
  int pushed = 0;

  void push(int frames) {
    std::vector<float> samples;
    for (int i = 0; i < frames; ++i, ++pushed) {
      samples.push_back(static_cast<float>(pushed));
      samples.push_back(static_cast<float>(-pushed));
    }
    source.push(samples.data(), static_cast<std::uint32_t>(frames));
  }
  void read(int blocks, Frames first = 0) {
    const ScopedThreadRole role(ThreadRole::pump);
    for (int i = 0; i < blocks; ++i) {
      std::vector<float> room(2 * kBlock);
      float* channels[] = {room.data(), room.data() + kBlock};
      const Frames begin = first + static_cast<Frames>(left.size());
      const Source::Taken taken = source.read({begin, kBlock, {}, channels}, gaps);
      left.insert(left.end(), taken.channels[0], taken.channels[0] + kBlock);
      right.insert(right.end(), taken.channels[1], taken.channels[1] + kBlock);
    }
  }
};

}  // namespace

TEST_CASE("what is pushed lies one behind the other from frame 0 on, bit for bit") {
  Read read;
  CHECK_FALSE(read.source.started());
  read.source.start(1s);
  CHECK(read.source.started());
  for (const int frames : {1, 959, 960, 100, 860}) read.push(frames);
  read.read(6);
  for (int i = 0; i < 2880; ++i) {
    REQUIRE(read.left[i] == static_cast<float>(i));
    REQUIRE(read.right[i] == static_cast<float>(-i));
  }
  CHECK(read.gaps.all.empty());
  CHECK(read.source.clock().locked());
  read.clock.sleep_until(1500ms);
  CHECK(read.source.now() == 24'000);
  CHECK(read.source.position() == 2880);
}

TEST_CASE("what is left out is a gap with its cause, and so is what does not come") {
  Read read;
  read.source.start(1s);
  read.push(960);
  read.source.skip_to(1440, Cause::source_failed);
  read.push(480);
  read.read(4);
  CHECK(read.left[959] == 959);
  CHECK(read.left[960] == 0);
  CHECK(read.left[1439] == 0);
  CHECK(read.left[1440] == 960);
  read.source.feed().set_absence(Cause::stalled);
  read.read(2);
  read.source.skip_to(2880, Cause::stalled);
  read.push(480);
  read.read(1);
  CHECK(read.left[2880] == 1440);
  CHECK(read.gaps.all == std::vector<Gap>{{Cause::source_failed, 960, 480},
                                          {Cause::stalled, 1920, 480},
                                          {Cause::stalled, 2400, 480}});
}

TEST_CASE("one that joins begins where the others are") {
  Read read;
  read.source.join(1s, 4800);
  CHECK(read.source.position() == 4800);
  read.push(480);
  read.read(1, 4800);
  CHECK(read.left[0] == 0);
  CHECK(read.left[479] == 479);
  CHECK(read.gaps.all.empty());
  CHECK_FALSE(read.source.stopped());
  read.source.stop();
  CHECK(read.source.stopped());
}

TEST_CASE("a ring that is full costs what finds no room, and says so") {
  Read read;
  read.source.start(1s);
  for (int i = 0; i < 12; ++i) read.push(960);
  read.read(22);
  read.push(960);
  read.read(4);
  CHECK(read.left[9599] == 9599);
  CHECK(read.left[9600] == 0);
  CHECK(read.left[11'520] == 11'520);
  CHECK(read.gaps.all.back().cause == Cause::capture_overrun);
}
