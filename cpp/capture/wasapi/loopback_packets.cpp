// SPDX-License-Identifier: MIT
#include "capture/wasapi/loopback_packets.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace pypac {
namespace {

// Stamps have been seen more than half a second off; the longest buffer of a client is 200 ms.
constexpr auto kPlausible = std::chrono::milliseconds(500);
constexpr auto kLongestBuffer = std::chrono::milliseconds(200);
// A stamp that goes on from the one before may be earlier than it should by as much.
constexpr auto kJitter = std::chrono::milliseconds(10);
// About 0.2 s of packets.
constexpr std::uint32_t kLasting = 20;

std::atomic<std::uint64_t> newest_clock_id{0};

}  // namespace

void LoopbackPackets::begin(HostTime now) noexcept {
  new_clock_ = clock_id_ == 0 ? Cause::not_running : Cause::clock_changed;
  clock_id_ = newest_clock_id.fetch_add(1, std::memory_order_relaxed) + 1;
  first_ = true;
  expected_ = now - kLongestBuffer;
  dissent_ = 0;
  own_clock_.store(false, std::memory_order_relaxed);
  last_received_ns_.store(0, std::memory_order_relaxed);
  silent_run_.store(0, std::memory_order_relaxed);
}

void LoopbackPackets::judge(bool plausible) noexcept {
  if (plausible != own_clock()) {
    dissent_ = 0;
  } else if (++dissent_ >= kLasting) {
    own_clock_.store(!plausible, std::memory_order_relaxed);
    dissent_ = 0;
  }
}

LoopbackPackets::Taken LoopbackPackets::take(const LoopbackPacket& packet) noexcept {
  Taken taken;
  ClockReading& reading = taken.reading;
  reading.clock_id = clock_id_;
  reading.new_clock = new_clock_;
  reading.rate = rate_;
  reading.frames = packet.frames;
  reading.has_position = false;
  reading.received = packet.received;
  // Every client's first packet is called discontinuous; it means nothing.
  reading.frames_missing = packet.discontinuity && !first_;

  const HostTime stamped(static_cast<std::int64_t>(packet.qpc_100ns) * 100);
  const HostTime distance = stamped - packet.received;
  const HostTime length(std::int64_t{packet.frames} * 1'000'000'000 /
                        static_cast<std::int64_t>(rate_));
  const bool goes_on = stamped > expected_ - kJitter;
  const bool plausible =
      packet.qpc_100ns != 0 && distance < kPlausible && (distance > -kPlausible || goes_on);
  expected_ = (plausible && !packet.timestamp_error ? stamped : expected_) + length;
  if (packet.timestamp_error) {
    add(errors_, 1);
  } else {
    judge(plausible);
  }
  if (!plausible) add(disbelieved_, 1);
  reading.host_time = stamped;
  reading.host_time_valid = plausible && !packet.timestamp_error;
  if (own_clock()) {
    // When it was handed over its last frame had been heard.
    reading.host_time = packet.received - length;
    reading.host_time_valid = true;
  }

  bool silent = packet.silent || !packet.interleaved;
  if (silent) {
    add(silent_frames_, packet.frames);
  } else {
    taken.interleaved = packet.interleaved;
    silent = std::all_of(packet.interleaved, packet.interleaved + std::size_t{2} * packet.frames,
                         [](float sample) { return sample == 0.0F; });
    if (silent) add(zero_frames_, packet.frames);
  }
  silent_run_.store(silent ? load(silent_run_) + packet.frames : 0, std::memory_order_relaxed);
  if (packet.discontinuity && !first_) add(discontinuities_, 1);
  add(packets_, 1);
  add(frames_, packet.frames);
  last_frames_.store(packet.frames, std::memory_order_relaxed);
  last_received_ns_.store(packet.received.count(), std::memory_order_relaxed);
  first_ = false;
  return taken;
}

}  // namespace pypac
