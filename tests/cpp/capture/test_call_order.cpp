// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdint>

#include "capture/pipewire/call_order.hpp"

using namespace pypac;

namespace {

constexpr std::uint32_t kQuantum = 64;
constexpr std::int64_t kCatchesUp = 48 * CallOrder::kCatchesUpWithin.count();

ClockReading cycle(std::int64_t position, std::uint32_t frames = kQuantum,
                   std::uint64_t clock_id = 1) {
  return {.clock_id = clock_id, .rate = 48000, .position = position, .frames = frames};
}

/// A node that has been called for each cycle long enough; the next one begins at 0.
CallOrder steady() {
  CallOrder order;
  for (std::int64_t at = -2 * kCatchesUp; at < 0; at += kQuantum)
    static_cast<void>(order.in_step(cycle(at)));
  return order;
}

}  // namespace

TEST_CASE("a call for each cycle is in step, whatever the quantum becomes") {
  CallOrder order = steady();
  CHECK(order.in_step(cycle(0)));
  CHECK(order.in_step(cycle(kQuantum, 1024)));
  CHECK(order.in_step(cycle(kQuantum + 1024, 32)));
}

TEST_CASE("a node that missed a cycle is in doubt until it must have caught up") {
  CallOrder order = steady();
  std::int64_t at = kQuantum;
  for (; at < kQuantum + kCatchesUp; at += kQuantum) CHECK_FALSE(order.in_step(cycle(at)));
  CHECK(order.in_step(cycle(at)));
}

TEST_CASE("a second call in one cycle changes nothing") {
  CallOrder order = steady();
  CHECK(order.in_step(cycle(0)));
  CHECK(order.in_step(cycle(0)));
  CHECK_FALSE(order.in_step(cycle(2 * kQuantum)));
  CHECK_FALSE(order.in_step(cycle(2 * kQuantum)));  // may be called a third time
}

TEST_CASE("with a long quantum only the late call itself is in doubt") {
  CallOrder order = steady();
  CHECK(order.in_step(cycle(0, 8192)));
  CHECK_FALSE(order.in_step(cycle(2 * 8192, 8192)));
  CHECK(order.in_step(cycle(3 * 8192, 8192)));
}

TEST_CASE("the first calls, and those of another clock, are in doubt") {
  CallOrder order;
  CHECK_FALSE(order.in_step(cycle(0)));
  order = steady();
  CHECK_FALSE(order.in_step(cycle(0, kQuantum, 2)));
}
