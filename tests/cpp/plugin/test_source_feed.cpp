// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <random>
#include <thread>

#include "plugin/source_feed.hpp"

using namespace pypac;

namespace {

SourceFeed make_feed(std::uint32_t channels, std::uint32_t capacity) {
  return {channels, capacity, std::make_shared<ClockDomain>(48000)};
}

bool push(SourceFeed& feed, std::int64_t device_time, std::uint32_t frames) {
  float* const samples = feed.begin_packet(frames);
  if (!samples) return false;
  for (std::uint32_t c = 0; c < feed.channels(); ++c)
    for (std::uint32_t i = 0; i < frames; ++i)
      samples[c * frames + i] = static_cast<float>(device_time + i) + 0.5F * static_cast<float>(c);
  Stamp stamp;
  stamp.device_time = device_time;
  feed.commit_packet(stamp);
  return true;
}

bool holds(const PacketView& packet, std::uint32_t channels) {
  for (std::uint32_t c = 0; c < channels; ++c)
    for (std::uint32_t i = 0; i < packet.frames; ++i)
      if (packet.samples[c * packet.frames + i] !=
          static_cast<float>(packet.stamp.device_time + i) + 0.5F * static_cast<float>(c))
        return false;
  return true;
}

}  // namespace

TEST_CASE("a full feed refuses packets and the next one tells how many") {
  SourceFeed feed = make_feed(2, 256);
  CHECK(push(feed, 0, 128));
  CHECK(push(feed, 128, 128));
  CHECK_FALSE(push(feed, 256, 128));
  CHECK_FALSE(push(feed, 384, 128));
  PacketView packet;
  REQUIRE(feed.peek(0, packet));
  CHECK(packet.lost_before == 0);
  feed.pop();
  CHECK(push(feed, 512, 128));
  REQUIRE(feed.peek(1, packet));
  CHECK(packet.stamp.device_time == 512);
  CHECK(packet.lost_before == 2);
}

TEST_CASE("a packet tells whether the source was silent just before it") {
  SourceFeed feed = make_feed(2, 1024);
  CHECK(push(feed, 0, 128));
  feed.skip_packet();
  CHECK(push(feed, 256, 128));
  CHECK(push(feed, 384, 128));
  for (const bool silent : {false, true, false}) {
    PacketView packet;
    REQUIRE(feed.peek(0, packet));
    CHECK(packet.silent_before == silent);
    feed.pop();
  }
}

TEST_CASE("a packet larger than the feed is refused") {
  SourceFeed feed = make_feed(1, 100);
  CHECK(feed.begin_packet(101) == nullptr);
  CHECK(feed.begin_packet(100) != nullptr);
}

TEST_CASE("packets of changing lengths survive the ring's end, between two threads") {
  SourceFeed feed = make_feed(2, 2000);
  constexpr std::int64_t kFrames = 400'000;
  std::thread capture([&] {
    std::minstd_rand random(1);
    for (std::int64_t at = 0; at < kFrames;) {
      const auto frames = static_cast<std::uint32_t>(32 + random() % 500);
      while (!push(feed, at, frames)) std::this_thread::yield();
      at += frames;
    }
  });
  std::int64_t expected = 0;
  int wrong = 0;
  while (expected < kFrames) {
    PacketView packet;
    if (!feed.peek(0, packet)) {
      std::this_thread::yield();
      continue;
    }
    wrong += packet.stamp.device_time != expected || !holds(packet, 2);
    expected += packet.frames;
    feed.pop();
  }
  capture.join();
  CHECK(wrong == 0);
}
