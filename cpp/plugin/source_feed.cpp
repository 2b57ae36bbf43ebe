// SPDX-License-Identifier: MIT
#include "plugin/source_feed.hpp"

#include <algorithm>
#include <utility>

#include "core/thread_role.hpp"

namespace pypac {
namespace {
// The shortest packets seen are 32 frames (PipeWire's clock.min-quantum).
constexpr std::uint32_t kShortestPacket = 32;
}  // namespace

SourceFeed::SourceFeed(std::uint32_t channels, std::uint32_t capacity_frames,
                       std::shared_ptr<ClockDomain> domain)
    : channels_(channels),
      domain_(std::move(domain)),
      samples_(std::size_t{channels} * capacity_frames),
      headers_(std::max<std::size_t>(16, capacity_frames / kShortestPacket)) {
  PYPAC_ASSERT_NOT_REALTIME();
}

float* SourceFeed::begin_packet(std::uint32_t frames) noexcept {
  const std::uint64_t capacity = samples_.size();
  const std::uint64_t length = std::uint64_t{frames} * channels_;
  // An empty ring is filled from its beginning again, so that only as much of it is in use, and in
  // the cache, as waits for the pump.
  if (released_.load(std::memory_order_acquire) >= end_of_newest_) {
    written_ = (written_ + capacity - 1) / capacity * capacity;
    empty_until_ = written_;
  }
  const std::uint64_t released = std::max(released_.load(std::memory_order_acquire), empty_until_);
  // A packet is never split: where it would wrap, it starts at the ring's beginning instead.
  const std::uint64_t offset = written_ % capacity;
  const std::uint64_t begin =
      offset + length > capacity ? written_ + (capacity - offset) : written_;
  if (length > capacity || begin + length - released > capacity) {
    ++lost_;
    return nullptr;
  }
  open_ = Header{{}, frames, 0, false, begin, begin + length};
  return samples_.data() + begin % capacity;
}

void SourceFeed::commit_packet(const Stamp& stamp) noexcept {
  open_.stamp = stamp;
  open_.lost_before = lost_;
  open_.silent_before = silent_;
  if (headers_.push(open_)) {
    written_ = end_of_newest_ = open_.end;
    lost_ = 0;
    silent_ = false;
    skipping_.store(false, std::memory_order_relaxed);
  } else {
    ++lost_;
  }
}

bool SourceFeed::peek(std::size_t ahead, PacketView& packet) const noexcept {
  const Header* header = headers_.peek(ahead);
  if (!header) return false;
  packet = PacketView{header->stamp, header->frames, header->lost_before, header->silent_before,
                      samples_.data() + header->begin % samples_.size()};
  return true;
}

void SourceFeed::pop() noexcept {
  released_.store(headers_.front()->end, std::memory_order_release);
  headers_.pop();
}

}  // namespace pypac
