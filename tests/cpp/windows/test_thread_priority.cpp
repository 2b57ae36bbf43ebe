// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdint>
#include <thread>

#include "os/thread_priority.hpp"

namespace {

constexpr int kPriority = 20;

struct Seen {
  std::int64_t id = 0;
  pypac::ThreadPriority before;
  pypac::ThreadPriority given;
  pypac::ThreadPriority again;
  pypac::ThreadPriority told;
};

/// What a thread of its own gets, which has ended when this returns.
Seen raise_in_a_thread() {
  Seen seen;
  std::thread([&] {
    seen.id = pypac::current_thread_id();
    seen.before = pypac::thread_priority(seen.id);
    seen.given = pypac::raise_thread_priority(kPriority);
    seen.again = pypac::raise_thread_priority(kPriority);
    seen.told = pypac::thread_priority(seen.id);
  }).join();
  return seen;
}

}  // namespace

TEST_CASE("a real-time priority is had, or its refusal is told") {
  const Seen seen = raise_in_a_thread();
  CHECK(seen.given.realtime == seen.given.refusal.empty());
  CHECK((seen.given.priority > 0) == seen.given.realtime);
  CHECK(seen.told.realtime == seen.given.realtime);
  CHECK(seen.told.priority == seen.given.priority);
}

TEST_CASE("to ask again changes nothing") {
  const Seen seen = raise_in_a_thread();
  CHECK(seen.again.realtime == seen.given.realtime);
  CHECK(seen.again.priority == seen.given.priority);
}

TEST_CASE("a thread that did not ask has none, and is not said to have it") {
  const Seen other = raise_in_a_thread();
  CHECK_FALSE(other.before.realtime);
  CHECK_FALSE(other.before.refusal.empty());
  CHECK_FALSE(pypac::thread_priority(pypac::current_thread_id()).realtime);
}

TEST_CASE("a thread that has ended is forgotten: its number may become another's") {
  const Seen seen = raise_in_a_thread();
  CHECK_FALSE(pypac::thread_priority(seen.id).realtime);
}
