// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <random>
#include <thread>
#include <vector>

#include "sinks/reader_ring.hpp"

using namespace pypac;
using namespace std::chrono_literals;

namespace {

// Sample c of frame n is n + c / 4, in track t negated for odd t.
bool write(ReaderRing& ring, Frames start, std::uint32_t frames) {
  if (!ring.begin_block(start, frames)) return false;
  for (std::size_t track = 0; track < ring.track_count(); ++track) {
    std::vector<std::vector<float>> planar(ring.channels(track), std::vector<float>(frames));
    std::vector<const float*> pointers;
    for (std::uint32_t c = 0; c < ring.channels(track); ++c) {
      for (std::uint32_t i = 0; i < frames; ++i)
        planar[c][i] = (static_cast<float>(start + i) + 0.25F * static_cast<float>(c)) *
                       (track % 2 == 0 ? 1.0F : -1.0F);
      pointers.push_back(planar[c].data());
    }
    ring.write_track(track, pointers.data());
  }
  ring.commit_block();
  return true;
}

bool holds(const ReaderRing& ring, const ReaderRing::Run& run) {
  for (std::size_t track = 0; track < ring.track_count(); ++track) {
    const float* sample = ring.samples(track, run);
    for (std::uint32_t i = 0; i < run.frames; ++i)
      for (std::uint32_t c = 0; c < ring.channels(track); ++c)
        if (*sample++ != (static_cast<float>(run.start + i) + 0.25F * static_cast<float>(c)) *
                             (track % 2 == 0 ? 1.0F : -1.0F))
          return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a full ring drops whole blocks for all tracks, counts them, and shows the jump") {
  ReaderRing ring({2, 1}, 100, 300);
  for (Frames start = 0; start < 300; start += 100) CHECK(write(ring, start, 100));
  CHECK_FALSE(write(ring, 300, 100));
  CHECK_FALSE(write(ring, 400, 100));
  CHECK(ring.lost_frames() == 200);
  ReaderRing::Run run = ring.peek(1000);
  CHECK(run.start == 0);
  CHECK(run.frames == 300);
  CHECK(holds(ring, run));
  ring.release(150);
  CHECK(write(ring, 500, 100));
  run = ring.peek(1000);
  CHECK(run.start == 150);
  CHECK(run.frames == 150);
  ring.release(150);
  run = ring.peek(1000);
  CHECK(run.start == 500);
  CHECK(run.frames == 100);
  CHECK(holds(ring, run));
}

TEST_CASE("a run ends where blocks are missing, even before the ring's end") {
  ReaderRing ring({1}, 10, 100);
  CHECK(write(ring, 0, 10));
  CHECK(write(ring, 30, 10));
  CHECK(ring.peek(100).frames == 10);
  ring.release(10);
  CHECK(ring.peek(100).start == 30);
}

TEST_CASE("a short last block is read and then the ring is finished") {
  ReaderRing ring({2}, 100, 1000);
  CHECK(write(ring, 0, 100));
  CHECK(write(ring, 100, 7));
  ring.finish();
  CHECK_FALSE(ring.finished());
  CHECK(ring.peek(1000).frames == 107);
  ring.release(107);
  CHECK(ring.peek(1000).frames == 0);
  CHECK(ring.finished());
}

TEST_CASE("short blocks take a block's room each, and a ring full of them is not waited for") {
  ReaderRing ring({1}, 100, 400);
  for (Frames start = 0; start < 40; start += 10) {
    CHECK(ring.room() >= 100);
    REQUIRE(write(ring, start, 10));
  }
  CHECK(ring.room() == 0);
  CHECK(ring.wait(300, 10s));
  const ReaderRing::Run run = ring.peek(400);
  CHECK(run.frames > 0);
  CHECK(holds(ring, run));
  ring.release(run.frames);
  CHECK(ring.room() >= 100);
  CHECK(ring.lost_frames() == 0);
}

TEST_CASE("wait returns at its time, at the frames wanted, at the end, and when interrupted") {
  ReaderRing ring({1}, 10, 1000);
  CHECK_FALSE(ring.wait(10, 1ms));
  CHECK(write(ring, 0, 10));
  CHECK(ring.wait(10, 1h));
  CHECK_FALSE(ring.wait(11, 1ms));
  SUBCASE("frames") {
    std::thread pump([&] { CHECK(write(ring, 10, 10)); });
    CHECK(ring.wait(20, 1h));
    pump.join();
  }
  SUBCASE("the end") {
    std::thread pump([&] { ring.finish(); });
    CHECK(ring.wait(20, 1h));
    pump.join();
  }
  SUBCASE("more than fits counts as what fits") {
    for (Frames start = 10; start < 1000; start += 10) CHECK(write(ring, start, 10));
    CHECK(ring.wait(1'000'000, 1h));
  }
  SUBCASE("interrupt") {
    std::thread other([&] {
      std::this_thread::sleep_for(20ms);
      ring.interrupt();
    });
    CHECK_FALSE(ring.wait(20, 1h));
    other.join();
  }
}

TEST_CASE("a closed ring takes nothing more and counts no loss") {
  ReaderRing ring({1}, 10, 20);
  ring.close();
  CHECK_FALSE(write(ring, 0, 10));
  CHECK(ring.lost_frames() == 0);
}

TEST_CASE("frames read plus frames lost are all frames, between two threads") {
  ReaderRing ring({2, 1}, 16, 256);
  constexpr Frames kBlocks = 20'000;
  std::thread pump([&] {
    for (Frames block = 0; block < kBlocks; ++block) {
      static_cast<void>(write(ring, block * 16, 16));
      if (block % 64 == 0) std::this_thread::yield();
    }
    ring.finish();
  });
  std::minstd_rand random(3);
  Frames read = 0;
  Frames last_end = 0;
  int wrong = 0;
  while (!ring.finished()) {
    if (!ring.wait(1 + random() % 100, 1s)) continue;
    const ReaderRing::Run run = ring.peek(static_cast<std::uint32_t>(1 + random() % 200));
    if (run.frames == 0) {  // only at the very end
      wrong += !ring.finished();
      continue;
    }
    wrong += !holds(ring, run) || run.start < last_end || run.frames > ring.available();
    const auto taken = static_cast<std::uint32_t>(1 + random() % run.frames);
    ring.release(taken);
    last_end = run.start + taken;
    read += taken;
  }
  pump.join();
  CHECK(wrong == 0);
  CHECK(read + ring.lost_frames() == kBlocks * 16);
  CHECK(read > 0);
}
