// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <vector>

#include "allocation_counter.hpp"
#include "simulated_clock.hpp"
#include "timeline/aligner.hpp"

using namespace pypac;
using namespace pypac::test;

namespace {

constexpr Cause kAbsence = Cause::stalled;

/// A packet whose samples are its device times (+ 1, so that none is 0).
struct Packet {
  PacketView view;
  std::vector<float> samples;

  Packet(std::int64_t device_time, std::uint32_t frames, double timeline, std::uint32_t epoch = 1)
      : samples(frames) {
    for (std::uint32_t i = 0; i < frames; ++i) samples[i] = static_cast<float>(device_time + i + 1);
    view.stamp.device_time = device_time;
    view.stamp.timeline = timeline;
    view.stamp.epoch = epoch;
    view.stamp.break_cause = Cause::clock_changed;
    view.frames = frames;
    view.samples = samples.data();
  }
  Packet(const Packet&) = delete;
};

struct Bench {
  Aligner aligner{1, 512, 1024};
  CountingGaps gaps;
  Frames taken = 0;

  bool place(const Packet& packet, const Packet* next = nullptr, bool give_up = false) {
    REQUIRE(aligner.has_room(packet.view.frames));
    return aligner.place(packet.view, next ? &next->view : nullptr, give_up, gaps);
  }
  std::vector<float> take(std::uint32_t frames, std::uint32_t* captured = nullptr,
                          Cause absence = kAbsence) {
    std::vector<float> room(frames, -1.0F);
    float* out = room.data();
    const Aligner::Taken block = aligner.take(taken, frames, &out, absence, gaps);
    if (captured) *captured = block.captured;
    taken += frames;
    return {block.channels[0], block.channels[0] + frames};
  }
  void check(std::size_t i, Cause cause, Frames begin, Frames frames) {
    REQUIRE(gaps.count > i);
    CHECK(gaps.heard[i].cause == cause);
    CHECK(gaps.heard[i].begin == begin);
    CHECK(gaps.heard[i].frames == frames);
  }
};

std::vector<float> numbers(std::int64_t first, std::size_t frames) {
  std::vector<float> result(frames);
  for (std::size_t i = 0; i < frames; ++i)
    result[i] = static_cast<float>(first + static_cast<std::int64_t>(i) + 1);
  return result;
}

}  // namespace

TEST_CASE("contiguous packets are appended bit for bit, whatever the blocks") {
  Bench bench;
  for (int i = 0; i < 3; ++i) CHECK(bench.place(Packet(5000 + 100 * i, 100, 100 * i)));
  CHECK(bench.aligner.covered_until() == 300);
  std::uint32_t captured = 0;
  CHECK(bench.take(250, &captured) == numbers(5000, 250));
  CHECK(captured == 250);
  CHECK(bench.take(50) == numbers(5250, 50));
  CHECK(bench.gaps.count == 0);
}

TEST_CASE("the header's example: a gap is silence, reported once with its cause") {
  Bench bench;
  CHECK(bench.place(Packet(0, 480, 0)));
  CHECK(bench.place(Packet(960, 480, 960), nullptr, true));
  bench.check(0, Cause::lost_cycles, 480, 480);
  CHECK(bench.take(480) == numbers(0, 480));
  std::uint32_t captured = 1;
  CHECK(bench.take(480, &captured) == std::vector<float>(480, 0.0F));
  CHECK(captured == 0);
  CHECK(bench.take(480) == numbers(960, 480));
  CHECK(bench.gaps.count == 1);
}

TEST_CASE("gaps name why: full ring, another epoch, the absence that went before") {
  Bench bench;
  CHECK(bench.place(Packet(0, 100, 50)));
  bench.check(0, Cause::starting, 0, 50);
  Packet after_loss(200, 100, 250);
  after_loss.view.lost_before = 1;
  CHECK(bench.place(after_loss));
  bench.check(1, Cause::capture_overrun, 150, 100);
  CHECK(bench.place(Packet(0, 100, 400, 2)));
  bench.check(2, Cause::clock_changed, 350, 50);
  bench.take(500);
  bench.take(100, nullptr, Cause::not_running);
  bench.check(3, Cause::not_running, 500, 100);
  CHECK(bench.place(Packet(0, 100, 640, 3)));
  bench.check(4, Cause::not_running, 600, 40);
  Packet after_silence(300, 100, 940, 3);
  after_silence.view.silent_before = true;
  CHECK(bench.place(after_silence));
  bench.check(5, Cause::underrun, 740, 200);
}

TEST_CASE("frames that come twice are dropped, the first are kept") {
  Bench bench;
  CHECK(bench.place(Packet(0, 100, 0)));
  CHECK(bench.place(Packet(60, 100, 60)));
  bench.check(0, Cause::overlap, 60, 40);
  CHECK(bench.place(Packet(20, 50, 20)));
  bench.check(1, Cause::overlap, 20, 50);
  CHECK(bench.place(Packet(160, 100, 160)));
  CHECK(bench.gaps.count == 2);
  CHECK(bench.take(260) == numbers(0, 260));
  // A clock that stepped back by 30.
  CHECK(bench.place(Packet(260, 100, 230, 2)));
  bench.check(2, Cause::overlap, 230, 30);
  CHECK(bench.take(70) == numbers(290, 70));
}

TEST_CASE("late frames are told and counted beside their silence, which was reported in its time") {
  Bench bench;
  CHECK(bench.place(Packet(0, 100, 0)));
  bench.take(150);
  bench.check(0, kAbsence, 100, 50);
  CHECK(bench.place(Packet(100, 100, 100)));
  CHECK(bench.aligner.late_frames() == 50);
  bench.check(1, Cause::late, 100, 50);
  CHECK(bench.take(50) == numbers(150, 50));
  bench.take(100);
  CHECK(bench.place(Packet(200, 100, 200)));
  CHECK(bench.aligner.late_frames() == 150);
  bench.check(2, kAbsence, 200, 100);
  bench.check(3, Cause::late, 200, 100);
  CHECK(bench.gaps.count == 4);
}

TEST_CASE("a suspect packet waits for its successor") {
  Bench bench;
  CHECK(bench.place(Packet(0, 100, 0)));
  Packet early(200, 100, 200);
  early.view.stamp.suspect = true;
  CHECK_FALSE(bench.place(early));
  CHECK(bench.aligner.covered_until() == 100);

  SUBCASE("which repeats the position: it was late, and nothing is missing") {
    Packet repeat(200, 100, 200);
    CHECK(bench.place(early, &repeat));
    bench.check(0, Cause::restamped, 100, 100);
    CHECK(bench.place(repeat));
    CHECK(bench.gaps.count == 1);
    const auto block = bench.take(300);
    CHECK(std::vector<float>(block.begin() + 100, block.begin() + 200) == numbers(200, 100));
    CHECK(std::vector<float>(block.begin() + 200, block.end()) == numbers(200, 100));
  }
  SUBCASE("which goes on: a cycle was lost") {
    Packet next(300, 100, 300);
    CHECK(bench.place(early, &next));
    bench.check(0, Cause::lost_cycles, 100, 100);
    CHECK(bench.place(next));
    CHECK(bench.gaps.count == 1);
  }
  SUBCASE("which does not come in time") {
    CHECK(bench.place(early, nullptr, true));
    bench.check(0, Cause::lost_cycles, 100, 100);
  }
}

TEST_CASE("a suspect packet that its successor claims is placed before it") {
  Bench bench;
  CHECK(bench.place(Packet(0, 100, 0)));
  bench.take(512);
  Packet first(100, 100, 100);
  first.view.stamp.suspect = true;
  // It could only be dropped as late: it waits on.
  CHECK_FALSE(bench.place(first, nullptr, true));
  Packet second(200, 100, 700, 2);
  second.view.stamp.claims_previous = true;
  CHECK(bench.place(first, &second));
  CHECK(bench.place(second));
  CHECK(bench.aligner.late_frames() == 0);
  bench.check(1, Cause::clock_changed, 512, 88);
  const auto block = bench.take(288);
  CHECK(std::vector<float>(block.begin() + 88, block.end()) == numbers(100, 200));
}

TEST_CASE("a source that joins late begins where it is told; frames before do not count") {
  Bench bench;
  bench.aligner.start_at(1000);
  bench.taken = 1000;
  CHECK(bench.place(Packet(0, 100, 950)));
  CHECK(bench.gaps.count == 0);
  CHECK(bench.aligner.late_frames() == 0);
  CHECK(bench.take(50) == numbers(50, 50));
}

TEST_CASE("packets far ahead wait outside once the store is full, then come out in their places") {
  Bench bench;
  std::deque<Packet> waiting;
  for (int i = 0; i < 40; ++i) waiting.emplace_back(1000 * i, 1000, 1'000'000 + 1000 * i);
  std::size_t placed = 0;
  std::vector<float> sound;
  while (bench.taken < 1'040'000) {
    while (placed < waiting.size() && bench.aligner.has_room(1000))
      CHECK(bench.place(waiting[placed++]));
    CHECK(placed >= 2);
    if (bench.taken < 990'000) CHECK(placed < 10);
    const auto block = bench.take(500);
    if (bench.taken > 1'000'000) sound.insert(sound.end(), block.begin(), block.end());
  }
  CHECK(sound == numbers(0, 40000));
  CHECK(bench.gaps.count == 1);
}

TEST_CASE("a packet longer than announced is dropped, and the gap says so") {
  Bench bench;
  CHECK(bench.place(Packet(0, 100, 0)));
  CHECK(bench.place(Packet(100, 100000, 100)));
  CHECK(bench.place(Packet(100100, 100, 100100)));
  bench.check(0, Cause::capture_overrun, 100, 100000);
}

TEST_CASE(
    "while resampling, the newest frames wait for their successors, but not beyond their time") {
  Bench bench;
  Packet packet(0, 400, 0.25);
  packet.view.stamp.step = 1.0001;
  CHECK(bench.place(packet));
  CHECK(bench.aligner.covered_until() == 368);
  std::uint32_t captured = 0;
  bench.take(500, &captured);
  CHECK(captured == 400);
  bench.check(1, kAbsence, 401, 99);
}

TEST_CASE("each frame is captured in its place or in exactly one reported silence") {
  Dice dice(11);
  std::size_t allocated = 0;
  Frames all_captured = 0;
  std::map<Cause, Frames> all_causes;
  for (int round = 0; round < 60; ++round) {
    Bench bench;
    std::deque<Packet> queue;
    std::int64_t device_time = static_cast<std::int64_t>(dice.below(1000));
    Frames timeline = static_cast<Frames>(dice.below(2000)) - 1000;
    std::uint32_t epoch = 1;
    std::uint32_t lost = 0;
    std::vector<float> sound;
    std::vector<Frames> captured_by_block;
    while (bench.taken < 100'000) {
      // The source: packets of all sizes, losses, repeats, epochs, waits.
      while (timeline < bench.taken + 3000 && !dice.one_in(6)) {
        const std::uint32_t frames = 1 + dice.below(dice.one_in(4) ? 1024 : 300);
        if (dice.one_in(12)) {
          const Frames missing = static_cast<Frames>(dice.below(1500));
          device_time += missing;
          timeline += missing;
          lost = dice.one_in(3) ? 1 : 0;
        }
        if (dice.one_in(20)) {
          device_time = static_cast<std::int64_t>(dice.below(100000));
          timeline += static_cast<Frames>(dice.below(2000)) - 700;
          ++epoch;
        }
        if (dice.one_in(25)) {
          device_time -= 200;
          timeline -= 200;
        }
        Packet& packet =
            queue.emplace_back(device_time, frames, static_cast<double>(timeline), epoch);
        // Samples say where they belong on the timeline.
        for (std::uint32_t i = 0; i < frames; ++i)
          packet.samples[i] = static_cast<float>(timeline + i + 5000);
        packet.view.lost_before = lost;
        packet.view.stamp.suspect = dice.one_in(15);
        lost = 0;
        device_time += frames;
        timeline += frames;
      }
      if (dice.one_in(10)) timeline = std::max(timeline, bench.taken - 300);
      const std::uint32_t frames = 1 + dice.below(512);
      const Frames end = bench.taken + frames;
      const std::size_t before = allocations();
      while (!queue.empty() && bench.aligner.covered_until() < end &&
             bench.aligner.has_room(queue.front().view.frames)) {
        const PacketView* next = queue.size() > 1 ? &queue[1].view : nullptr;
        if (!bench.aligner.place(queue.front().view, next, dice.one_in(2), bench.gaps)) break;
        queue.pop_front();
      }
      allocated += allocations() - before;
      std::uint32_t captured = 0;
      const auto block = bench.take(frames, &captured);
      all_captured += captured;
      captured_by_block.push_back(captured);
      sound.insert(sound.end(), block.begin(), block.end());
    }
    // Every reported silence once.
    std::vector<int> silent(sound.size());
    REQUIRE(bench.gaps.count < bench.gaps.heard.size());
    for (std::size_t i = 0; i < bench.gaps.count; ++i) {
      const auto& heard = bench.gaps.heard[i];
      CHECK(heard.frames > 0);
      all_causes[heard.cause] += heard.frames;
      if (moved_or_dropped(heard.cause)) continue;
      for (Frames f = heard.begin;
           f < std::min<Frames>(heard.begin + heard.frames, static_cast<Frames>(sound.size())); ++f)
        ++silent[static_cast<std::size_t>(f)];
    }
    Frames wrong = 0;
    Frames captured = 0;
    for (std::size_t f = 0; f < sound.size(); ++f) {
      const bool in_place = sound[f] == static_cast<float>(f) + 5000;
      captured += silent[f] == 0;
      if (silent[f] > 1) ++wrong;
      if (silent[f] == 1 && sound[f] != 0) ++wrong;
      if (silent[f] == 0 && !in_place) ++wrong;
    }
    CHECK(wrong == 0);
    Frames told = 0;
    for (const Frames each : captured_by_block) told += each;
    CHECK(told == captured);
  }
  CHECK(allocated == 0);
  CHECK(all_captured > 2'000'000);
  for (const Cause cause : {Cause::lost_cycles, Cause::clock_changed, Cause::capture_overrun,
                            Cause::overlap, Cause::stalled})
    CHECK(all_causes[cause] > 0);
}

TEST_CASE("the same holds while resampling") {
  Dice dice(12);
  for (int round = 0; round < 20; ++round) {
    Bench bench;
    std::int64_t device_time = 0;
    double timeline = 0.3;
    std::uint32_t epoch = 1;
    Frames captured = 0;
    Frames shown = 0;
    while (bench.taken < 30'000) {
      while (timeline < static_cast<double>(bench.taken) + 700 && !dice.one_in(8)) {
        const std::uint32_t frames = 32 + dice.below(500);
        if (!bench.aligner.has_room(frames)) break;
        if (dice.one_in(10)) {
          device_time += 700;
          timeline += 700;
        }
        if (dice.one_in(20)) {
          timeline += static_cast<double>(dice.below(400)) - 200.7;
          ++epoch;
        }
        // Back to passing through at times.
        if (dice.one_in(5)) timeline = std::round(timeline);
        const double step =
            timeline == std::round(timeline) ? 1 : 1 + (dice.below(2000) - 1000.0) * 1e-6;
        Packet packet(device_time, frames, timeline, epoch);
        std::fill(packet.samples.begin(), packet.samples.end(), 1.0F);
        packet.view.stamp.step = step;
        CHECK(bench.place(packet, nullptr, true));
        device_time += frames;
        timeline += frames * step;
      }
      if (dice.one_in(10)) timeline = std::max(timeline, static_cast<double>(bench.taken) + 0.4);
      std::uint32_t count = 0;
      const auto block = bench.take(1 + dice.below(512), &count);
      captured += count;
      for (const float sample : block) shown += sample != 0;
    }
    Frames silence = 0;
    for (std::size_t i = 0; i < bench.gaps.count; ++i) {
      const auto& heard = bench.gaps.heard[i];
      if (moved_or_dropped(heard.cause)) continue;
      silence += std::clamp<Frames>(bench.taken - heard.begin, 0, heard.frames);
    }
    CHECK(captured + silence == bench.taken);
    CHECK(shown == captured);
  }
}

TEST_CASE("a packet with its successor's stamp is put right, also where the clock saw no doubt") {
  Bench bench;
  CHECK(bench.place(Packet(0, 100, 0)));
  Packet late(200, 100, 200);  // the second cycle, stamped with the third's position
  for (float& sample : late.samples) sample -= 100;
  CHECK_FALSE(bench.place(late));
  const Packet third(200, 100, 200);
  CHECK(bench.place(late, &third));
  CHECK(bench.place(third));
  CHECK(bench.take(300) == numbers(0, 300));
  bench.check(0, Cause::restamped, 100, 100);
  CHECK(bench.gaps.count == 1);
}

TEST_CASE("a cycle that is really missing is a gap once its successor or its time has come") {
  for (const bool time_is_up : {false, true}) {
    Bench bench;
    CHECK(bench.place(Packet(0, 100, 0)));
    const Packet third(200, 100, 200);
    const Packet fourth(300, 100, 300);
    CHECK(bench.place(third, time_is_up ? nullptr : &fourth, time_is_up));
    bench.check(0, Cause::lost_cycles, 100, 100);
  }
}
