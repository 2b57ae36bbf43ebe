// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>

#include "capture/pipewire/graph_clocks.hpp"

using namespace std::chrono_literals;
using pypac::GraphClocks;

namespace {

constexpr std::uint32_t kQuantum = 480;

/// A device's clock, in cycles of 10 ms.
struct Device {
  std::uint32_t id = 0;
  std::uint64_t position = 0;
  std::uint64_t nsec = 0;

  [[nodiscard]] spa_io_clock next() {
    spa_io_clock clock{};
    clock.id = id;
    clock.rate = {1, 48000};
    clock.position = position;
    clock.duration = kQuantum;
    clock.nsec = nsec;
    position += kQuantum;
    nsec += 10'000'000;
    return clock;
  }
};

}  // namespace

TEST_CASE("a cycle is stamped once for all nodes of its clock") {
  GraphClocks clocks(48000);
  clocks.set_origin(0ns);
  Device speakers{7, 1000, 1'000'000'000};
  std::uint32_t one = GraphClocks::kNone;
  std::uint32_t two = GraphClocks::kNone;
  for (int i = 0; i < 5; ++i) {
    const spa_io_clock cycle = speakers.next();
    const GraphClocks::Cycle first = clocks.read(cycle, one);
    REQUIRE(first.stamp);
    CHECK(first.stamp->timeline == 48000.0 + 480.0 * i);
    CHECK(first.stamp->step == 1);
    CHECK(clocks.read(cycle, two).stamp == first.stamp);
  }
  CHECK(clocks.cycles() == 5);
  CHECK(clocks.lost_cycles() == 0);
}

TEST_CASE("a clock whose last node was removed has none that follows it") {
  GraphClocks clocks(48000);
  clocks.set_origin(0ns);
  Device speakers{7, 1000, 1'000'000'000};
  std::uint32_t removed = GraphClocks::kNone;
  std::uint32_t stays = GraphClocks::kNone;
  const std::uint32_t epoch = clocks.read(speakers.next(), removed).stamp->epoch;
  clocks.leave(removed);
  // The device may have paused in between.
  CHECK(clocks.read(speakers.next(), stays).stamp->epoch != epoch);

  const std::uint32_t followed = clocks.read(speakers.next(), stays).stamp->epoch;
  std::uint32_t guest = GraphClocks::kNone;
  CHECK(clocks.read(speakers.next(), guest).stamp->epoch == followed);
  clocks.leave(guest);
  CHECK(clocks.read(speakers.next(), stays).stamp->epoch == followed);
}

TEST_CASE("devices keep their own clocks, on one timeline and in different epochs") {
  GraphClocks clocks(48000);
  clocks.set_origin(0ns);
  Device speakers{7, 1000, 1'000'000'000};
  Device headset{9, 50, 1'003'000'000};
  std::uint32_t one = GraphClocks::kNone;
  std::uint32_t two = GraphClocks::kNone;
  for (int i = 0; i < 5; ++i) {
    const GraphClocks::Cycle first = clocks.read(speakers.next(), one);
    REQUIRE(first.stamp);
    CHECK(first.stamp->timeline == 48000.0 + 480.0 * i);
    const std::uint32_t epoch = first.stamp->epoch;
    const GraphClocks::Cycle second = clocks.read(headset.next(), two);
    REQUIRE(second.stamp);
    CHECK(second.stamp->timeline == 48144.0 + 480.0 * i);
    CHECK(second.stamp->epoch != epoch);
    CHECK(second.domain != first.domain);
  }
}

TEST_CASE("a node that comes back to a device that has paused finds another clock") {
  GraphClocks clocks(48000);
  clocks.set_origin(0ns);
  Device speakers{7, 1000, 1'000'000'000};
  Device idle{3, 0, 1'100'000'000};
  std::uint32_t node = GraphClocks::kNone;
  const std::uint32_t before = clocks.read(speakers.next(), node).stamp->epoch;
  for (int i = 0; i < 10; ++i) static_cast<void>(clocks.read(idle.next(), node));
  speakers.nsec += 105'000'000;  // it stood still, and not for whole cycles
  const GraphClocks::Cycle cycle = clocks.read(speakers.next(), node);
  CHECK(cycle.stamp->epoch != before);
  CHECK(cycle.stamp->timeline == doctest::Approx(48000 + 480 + 5040).epsilon(1e-9));
  // While another node follows it, it is the same.
  std::uint32_t late = 3;
  CHECK(clocks.read(speakers.next(), late).stamp->epoch == cycle.stamp->epoch);
}

TEST_CASE("another device with the id of one that has gone is another clock") {
  GraphClocks clocks(48000);
  clocks.set_origin(0ns);
  Device speakers{7, 1000, 1'000'000'000};
  std::uint32_t node = GraphClocks::kNone;
  const std::uint32_t before = clocks.read(speakers.next(), node).stamp->epoch;
  CHECK(clocks.read(speakers.next(), node).stamp->epoch == before);
  clocks.renew(8);
  CHECK(clocks.read(speakers.next(), node).stamp->epoch == before);
  clocks.renew(7);
  CHECK(clocks.read(speakers.next(), node).stamp->epoch != before);
}

TEST_CASE("of too many devices the one that was read longest ago is given up") {
  GraphClocks clocks(48000);
  clocks.set_origin(0ns);
  std::uint32_t node = GraphClocks::kNone;
  for (std::uint32_t id = 0; id < 3 * GraphClocks::kMaxClocks; ++id) {
    Device device{id, 0, 1'000'000'000 + std::uint64_t{id} * 10'000'000};
    const GraphClocks::Cycle cycle = clocks.read(device.next(), node);
    REQUIRE(cycle.stamp);
    CHECK(cycle.stamp->timeline == 48000.0 + 480.0 * id);
  }
}
