// SPDX-License-Identifier: MIT
#include "capture/pipewire/graph_clocks.hpp"

#include <algorithm>
#include <chrono>

namespace pypac {
namespace {

// Epochs of different clocks in one feed must differ: a program may move from one to another.
constexpr unsigned kEpochBitsOfClock = 24;
// A clock that was not read for so many cycles was followed by no node.
constexpr int kFollowedCycles = 2;

}  // namespace

GraphClocks::GraphClocks(std::uint32_t timeline_rate) {
  for (Clock& clock : clocks_) clock.domain = std::make_unique<ClockDomain>(timeline_rate);
}

void GraphClocks::set_origin(HostTime origin) noexcept {
  for (Clock& clock : clocks_) clock.domain->set_origin(origin);
}

void GraphClocks::renew(std::uint32_t clock_id) noexcept {
  for (Clock& clock : clocks_) {
    if (load(clock.id) == clock_id) clock.generation.fetch_add(1, std::memory_order_relaxed);
  }
}

void GraphClocks::renew_all() noexcept {
  for (Clock& clock : clocks_) clock.generation.fetch_add(1, std::memory_order_relaxed);
}

void GraphClocks::leave(std::uint32_t node_clock) noexcept {
  for (Clock& clock : clocks_) {
    if (node_clock != kNone && load(clock.id) == node_clock)
      clock.gone_followers.fetch_add(1, std::memory_order_relaxed);
  }
}

GraphClocks::Clock* GraphClocks::find(std::uint32_t id) noexcept {
  for (Clock& clock : clocks_) {
    if (clock.newest.frames > 0 && load(clock.id) == id) return &clock;
  }
  return nullptr;
}

bool GraphClocks::is_followed(const Clock& clock, HostTime now) noexcept {
  if (clock.followers == 0 || clock.newest.frames == 0) return false;
  const HostTime cycle =
      HostTime(std::chrono::seconds(1)) * clock.newest.frames / clock.newest.rate;
  return now - clock.newest.host_time <= kFollowedCycles * cycle;
}

GraphClocks::Clock& GraphClocks::clock_of(std::uint32_t id) noexcept {
  if (Clock* const known = find(id)) return *known;
  // One that was never read comes before all others.
  Clock& taken = *std::ranges::min_element(clocks_, {}, &Clock::last_read);
  taken.id.store(id, std::memory_order_relaxed);
  taken.newest = ClockReading{.frames = 0};
  taken.followers = 0;
  taken.gone_followers.store(0, std::memory_order_relaxed);
  return taken;
}

GraphClocks::Cycle GraphClocks::read(const spa_io_clock& shown,
                                     std::uint32_t& node_clock) noexcept {
  Clock& clock = clock_of(shown.id);
  const HostTime host_time(static_cast<std::int64_t>(shown.nsec));
  if (load(clock.gone_followers) > 0) {
    clock.followers -=
        std::min(clock.followers, clock.gone_followers.exchange(0, std::memory_order_relaxed));
  }
  if (node_clock != shown.id) {
    if (!is_followed(clock, host_time)) clock.generation.fetch_add(1, std::memory_order_relaxed);
    ++clock.followers;
    if (Clock* const left = find(node_clock); left && left->followers > 0) --left->followers;
    node_clock = shown.id;
  }
  ClockReading reading;
  reading.clock_id = (std::uint64_t{load(clock.generation)} << 32) | shown.id;
  reading.rate = shown.rate.denom;
  reading.position = static_cast<std::int64_t>(shown.position);
  reading.frames = static_cast<std::uint32_t>(shown.duration);
  reading.host_time = host_time;

  const ClockReading& newest = clock.newest;
  const bool same_clock =
      newest.frames > 0 && newest.clock_id == reading.clock_id && newest.rate == reading.rate;
  if (!same_clock || newest.position != reading.position || newest.frames != reading.frames) {
    const std::int64_t skipped = reading.position - newest.position - newest.frames;
    if (same_clock && skipped > 0 && skipped < std::int64_t{10} * reading.rate) {
      lost_cycles_.fetch_add(static_cast<std::uint64_t>(skipped) / reading.frames,
                             std::memory_order_relaxed);
    }
    clock.stamped = clock.domain->stamp(reading, clock.stamp);
    clock.stamp.epoch |= static_cast<std::uint32_t>(&clock - clocks_.data()) << kEpochBitsOfClock;
    clock.newest = reading;
    clock.last_read = cycles_.fetch_add(1, std::memory_order_relaxed) + 1;
    clock_id_.store(shown.id, std::memory_order_relaxed);
    quantum_.store(reading.frames, std::memory_order_relaxed);
    rate_.store(reading.rate, std::memory_order_relaxed);
  }
  return {clock.newest, clock.stamped ? &clock.stamp : nullptr, clock.domain.get()};
}

}  // namespace pypac
