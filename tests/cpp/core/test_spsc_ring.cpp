// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <thread>

#include "core/spsc_ring.hpp"

using namespace pypac;

TEST_CASE("a full ring refuses, and keeps what it has") {
  SpscRing<int> ring(4);
  for (int i = 0; i < 4; ++i) CHECK(ring.push(i));
  CHECK_FALSE(ring.push(99));
  REQUIRE(ring.front());
  CHECK(*ring.front() == 0);
  CHECK(*ring.peek(3) == 3);
  CHECK(ring.peek(4) == nullptr);
  ring.pop();
  CHECK(ring.push(4));
  CHECK(*ring.front() == 1);
}

TEST_CASE("every value arrives once and in order between two threads") {
  constexpr int kCount = 200'000;
  SpscRing<int> ring(64);
  std::thread writer([&] {
    for (int i = 0; i < kCount;) {
      if (ring.push(i))
        ++i;
      else
        std::this_thread::yield();
    }
  });
  int wrong = 0;
  for (int expected = 0; expected < kCount;) {
    if (const int* value = ring.front()) {
      wrong += *value != expected++;
      ring.pop();
    } else {
      std::this_thread::yield();
    }
  }
  writer.join();
  CHECK(wrong == 0);
}
