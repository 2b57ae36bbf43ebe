// SPDX-License-Identifier: MIT
// The numbers are those of the gotchas in docs/windows.md.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "capture/wasapi/loopback_packets.hpp"
#include "timeline/clock_domain.hpp"

using namespace std::chrono_literals;
using pypac::Cause;
using pypac::ClockDomain;
using pypac::HostTime;
using pypac::LoopbackPacket;
using pypac::LoopbackPackets;
using pypac::Stamp;

namespace {

constexpr HostTime kStart = 1000s;

/// A client that hands over a packet 10 ms after its first frame was heard.
class Client {
 public:
  explicit Client(std::uint32_t frames = 480) : samples_(2 * std::size_t{frames}, 0.5F) {
    packets.begin(kStart);
  }

  LoopbackPacket next() {
    const auto frames = static_cast<std::uint32_t>(samples_.size() / 2);
    LoopbackPacket packet;
    packet.interleaved = samples_.data();
    packet.frames = frames;
    packet.qpc_100ns = static_cast<std::uint64_t>(heard_.count() / 100);
    packet.received = heard_ + 10ms;
    heard_ += HostTime(std::int64_t{frames} * 1'000'000'000 / 48000);
    return packet;
  }

  LoopbackPackets packets{48000};

 private:
  std::vector<float> samples_;
  HostTime heard_ = kStart;
};

std::uint64_t in_100ns(HostTime time) {
  return static_cast<std::uint64_t>(time.count() / 100);
}

}  // namespace

TEST_CASE("gotcha 4: packets are placed by QPC alone, in units of 100 ns") {
  Client client;
  const auto taken = client.packets.take(client.next());
  CHECK_FALSE(taken.reading.has_position);
  CHECK(taken.reading.host_time == kStart);
  CHECK(taken.reading.host_time_valid);
  CHECK(taken.reading.rate == 48000);
  CHECK(taken.reading.frames == 480);
}

TEST_CASE("gotcha 5: packets of any length follow each other without a gap") {
  ClockDomain domain(48000);
  domain.set_origin(kStart);
  LoopbackPackets packets(48000);
  packets.begin(kStart);
  const std::vector<float> samples(2 * 960, 0.1F);
  std::int64_t frames_so_far = 0;
  for (int i = 0; i < 400; ++i) {
    const std::array<std::uint32_t, 5> lengths{480, 441, 240, 960, 7};
    LoopbackPacket packet;
    packet.interleaved = samples.data();
    packet.frames = lengths[static_cast<std::size_t>(i) % lengths.size()];
    const HostTime heard = kStart + HostTime(frames_so_far * 1'000'000'000 / 48000);
    packet.qpc_100ns = in_100ns(heard);
    packet.received = heard + 10ms;
    Stamp stamp;
    REQUIRE(domain.stamp(packets.take(packet).reading, stamp));
    CHECK(stamp.timeline == static_cast<double>(frames_so_far));
    CHECK(stamp.step == 1);
    frames_so_far += packet.frames;
  }
}

TEST_CASE("gotcha 6: the memory of silent packets is not read, and their frames are counted") {
  Client client;
  LoopbackPacket packet = client.next();
  std::vector<float> garbage(2 * 480);
  for (float& sample : garbage) sample = -107374176.0F;  // 0xCDCDCDCD
  packet.interleaved = garbage.data();
  packet.silent = true;
  CHECK(client.packets.take(packet).interleaved == nullptr);
  CHECK(client.packets.silent_frames() == 480);
  CHECK(client.packets.zero_frames() == 0);
  CHECK(client.packets.silent_run() == 480);
  CHECK(client.packets.take(client.next()).interleaved != nullptr);
  CHECK(client.packets.silent_run() == 0);
  CHECK(client.packets.frames() == 960);
}

TEST_CASE("gotcha 7: runs of zeros that nobody called silent are counted apart") {
  Client client;
  const std::vector<float> zeros(2 * 480, 0.0F);
  for (int i = 0; i < 3; ++i) {
    LoopbackPacket packet = client.next();
    packet.interleaved = zeros.data();
    CHECK(client.packets.take(packet).interleaved == zeros.data());
  }
  CHECK(client.packets.zero_frames() == 3 * 480);
  CHECK(client.packets.silent_frames() == 0);
  CHECK(client.packets.silent_run() == 3 * 480);
}

TEST_CASE("gotcha 8: a packet with a stamp that Windows calls wrong is kept where it belongs") {
  ClockDomain domain(48000);
  domain.set_origin(kStart);
  Client client;
  for (int i = 0; i < 100; ++i) {
    LoopbackPacket packet = client.next();
    if (i >= 10 && i % 7 == 0) {
      packet.timestamp_error = true;
      packet.qpc_100ns += 3'000'000;  // 300 ms
    }
    Stamp stamp;
    REQUIRE(domain.stamp(client.packets.take(packet).reading, stamp));
    CHECK(stamp.timeline == 480.0 * i);
  }
  CHECK(client.packets.timestamp_errors() == 13);
  CHECK(client.packets.packets() == 100);
  CHECK_FALSE(client.packets.own_clock());
}

TEST_CASE("gotcha 9: a discontinuity at the first packet means nothing") {
  Client client;
  LoopbackPacket packet = client.next();
  packet.discontinuity = true;
  CHECK_FALSE(client.packets.take(packet).reading.frames_missing);
  CHECK(client.packets.discontinuities() == 0);
  packet = client.next();
  packet.discontinuity = true;
  CHECK(client.packets.take(packet).reading.frames_missing);
  CHECK(client.packets.discontinuities() == 1);
}

TEST_CASE("gotcha 9: a discontinuity later on leaves just the gap that the stamps show") {
  ClockDomain domain(48000);
  domain.set_origin(kStart);
  Client client(240);
  Stamp stamp;
  for (int i = 0; i < 200; ++i)
    REQUIRE(domain.stamp(client.packets.take(client.next()).reading, stamp));
  static_cast<void>(client.next());  // lost: 5 ms, less than is noticed without the flag
  LoopbackPacket packet = client.next();
  packet.discontinuity = true;
  REQUIRE(domain.stamp(client.packets.take(packet).reading, stamp));
  CHECK(stamp.timeline == 240.0 * 201);
  CHECK(stamp.device_time == 240 * 201);
  REQUIRE(domain.stamp(client.packets.take(client.next()).reading, stamp));
  CHECK(stamp.timeline == 240.0 * 202);
}

TEST_CASE("gotcha 10: single stamps that cannot be are not followed") {
  ClockDomain domain(48000);
  domain.set_origin(kStart);
  Client client;
  for (int i = 0; i < 200; ++i) {
    LoopbackPacket packet = client.next();
    if (i == 50) packet.qpc_100ns = 0;
    if (i == 80) packet.qpc_100ns += in_100ns(600ms);
    if (i == 110) packet.qpc_100ns += in_100ns(8h);
    if (i == 140) packet.qpc_100ns -= in_100ns(700ms);
    Stamp stamp;
    REQUIRE(domain.stamp(client.packets.take(packet).reading, stamp));
    CHECK(stamp.timeline == 480.0 * i);
  }
  CHECK(client.packets.disbelieved() == 4);
  CHECK_FALSE(client.packets.own_clock());
}

TEST_CASE("gotcha 10: where stamps are lastingly wrong the clock is our own, and it is flagged") {
  for (const HostTime off : {HostTime(600ms), HostTime(8h), HostTime(-900ms)}) {
    CAPTURE(off.count());
    ClockDomain domain(48000);
    domain.set_origin(kStart);
    Client client;
    Stamp stamp;
    for (int i = 0; i < 500; ++i) {
      LoopbackPacket packet = client.next();
      packet.qpc_100ns =
          in_100ns(HostTime(static_cast<std::int64_t>(packet.qpc_100ns) * 100) + off);
      REQUIRE(domain.stamp(client.packets.take(packet).reading, stamp));
      // Handed over when its last frame had been heard, as here: it is right to the frame.
      CHECK(std::abs(stamp.timeline - 480.0 * i) <= 1);
    }
    CHECK(client.packets.own_clock());
    for (int i = 0; i < 100; ++i)
      REQUIRE(domain.stamp(client.packets.take(client.next()).reading, stamp));
    CHECK_FALSE(client.packets.own_clock());
    CHECK(std::abs(stamp.timeline - 480.0 * 599) <= 1);
  }
}

TEST_CASE("packets that a busy machine takes late are placed where they were heard") {
  for (const int late_from : {0, 100}) {
    CAPTURE(late_from);
    ClockDomain domain(48000);
    domain.set_origin(kStart);
    Client client;
    for (int i = 0; i < 300; ++i) {
      if (i == late_from + 60) static_cast<void>(client.next());  // one is lost meanwhile
      LoopbackPacket packet = client.next();
      packet.discontinuity = i == late_from + 60;
      // All that have piled up in 1.2 s are taken at once.
      if (i >= late_from)
        packet.received = std::max(packet.received, kStart + late_from * 10ms + 1200ms);
      Stamp stamp;
      REQUIRE(domain.stamp(client.packets.take(packet).reading, stamp));
      CHECK(stamp.timeline == 480.0 * (i < late_from + 60 ? i : i + 1));
    }
    CHECK(client.packets.disbelieved() == 0);
    CHECK_FALSE(client.packets.own_clock());
  }
}

TEST_CASE("each client is another clock, also of another capture") {
  Client one;
  Client other;
  const auto first = one.packets.take(one.next()).reading.clock_id;
  CHECK(one.packets.take(one.next()).reading.clock_id == first);
  CHECK(other.packets.take(other.next()).reading.clock_id != first);
  one.packets.begin(kStart);
  CHECK(one.packets.last_received() == HostTime(0));
  const auto again = one.packets.take(one.next()).reading;
  CHECK(again.clock_id != first);
  // The same was opened anew; before the first one it was not there.
  CHECK(again.new_clock == Cause::clock_changed);
  CHECK(other.packets.take(other.next()).reading.new_clock == Cause::not_running);
}
