// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "allocation_counter.hpp"
#include "timeline/ledger.hpp"

using namespace pypac;

namespace {

void check_next(Ledger& ledger, Cause cause, Ticket ticket, Frames begin, Frames frames) {
  const auto incident = ledger.pop();
  REQUIRE(incident);
  CHECK(incident->cause == cause);
  CHECK(incident->ticket == ticket);
  CHECK(incident->begin == begin);
  CHECK(incident->frames == frames);
}

}  // namespace

TEST_CASE("contiguous pieces with one cause become one incident") {
  Ledger ledger;
  const auto a = ledger.open_account();
  const auto b = ledger.open_account();
  ledger.add(*b, Cause::stalled, 0, 480);
  ledger.add(*b, Cause::stalled, 480, 480);
  ledger.add(*a, Cause::stalled, 960, 480);
  CHECK_FALSE(ledger.pop());
  const auto open = b->open();
  REQUIRE(open);
  CHECK(open->frames == 960);
  ledger.captured(*b, 1000);
  check_next(ledger, Cause::stalled, 1, 0, 960);
  CHECK_FALSE(b->open());
  CHECK(a->open());
}

TEST_CASE("what goes over into a pause or an end belongs to it") {
  Ledger ledger(16, 500);
  const auto a = ledger.open_account();
  for (const Cause cause : {Cause::paused, Cause::not_running, Cause::no_stream}) {
    for (const Cause before : {Cause::underrun, Cause::stalled}) {
      ledger.add(*a, before, 0, 500);
      ledger.add(*a, cause, 500, 100);
      ledger.captured(*a, 1000);
      check_next(ledger, cause, 0, 0, 600);
    }
  }
  ledger.add(*a, Cause::underrun, 0, 500);
  ledger.add(*a, Cause::stalled, 500, 100);
  ledger.captured(*a, 1000);
  check_next(ledger, Cause::stalled, 0, 0, 600);
  CHECK_FALSE(ledger.pop());
}

TEST_CASE("a long stall, a hole and another beginning stay what they are") {
  Ledger ledger(16, 500);
  const auto a = ledger.open_account();
  ledger.add(*a, Cause::stalled, 0, 501);
  ledger.add(*a, Cause::paused, 501, 100);
  check_next(ledger, Cause::stalled, 0, 0, 501);
  ledger.add(*a, Cause::underrun, 700, 100);
  check_next(ledger, Cause::paused, 0, 501, 100);
  ledger.add(*a, Cause::paused, 801, 100);
  check_next(ledger, Cause::underrun, 0, 700, 100);
  ledger.add(*a, Cause::starting, 901, 100);
  check_next(ledger, Cause::paused, 0, 801, 100);
}

TEST_CASE("another cause or a hole begins another incident") {
  Ledger ledger;
  const auto a = ledger.open_account();
  ledger.add(*a, Cause::not_running, 0, 100);
  ledger.add(*a, Cause::starting, 100, 100);
  ledger.add(*a, Cause::starting, 300, 100);
  ledger.close(*a, 1000);
  check_next(ledger, Cause::not_running, 0, 0, 100);
  check_next(ledger, Cause::starting, 0, 100, 100);
  check_next(ledger, Cause::starting, 0, 300, 100);
}

TEST_CASE("a gap announced ahead of what is played stays open and is cut at the session's end") {
  Ledger ledger;
  const auto a = ledger.open_account();
  ledger.add(*a, Cause::lost_cycles, 500, 1000);
  ledger.captured(*a, 480);
  CHECK(a->open());
  ledger.close(*a, 800);
  check_next(ledger, Cause::lost_cycles, 0, 500, 300);
}

TEST_CASE("what the list has no room for is counted") {
  Ledger ledger(4);
  const auto a = ledger.open_account();
  for (int i = 0; i < 10; ++i) {
    ledger.add(*a, Cause::output_overrun, 1000 * i, 10);
    ledger.captured(*a, 1000 * i + 500);
  }
  for (int i = 0; i < 4; ++i) check_next(ledger, Cause::output_overrun, 0, 1000 * i, 10);
  CHECK_FALSE(ledger.pop());
  CHECK(ledger.unlisted(Cause::output_overrun).incidents == 6);
  CHECK(ledger.unlisted(Cause::output_overrun).frames == 60);
  CHECK(ledger.unlisted(Cause::stalled).incidents == 0);
}

TEST_CASE("the control thread reads whole incidents while the pump writes") {
  Ledger ledger(1 << 16);
  const auto a = ledger.open_account();
  std::atomic<bool> done{false};
  constexpr Frames kIncidents = 20000;
  std::size_t allocated = 0;
  std::thread pump([&] {
    const std::size_t before = test::allocations();
    for (Frames i = 0; i < kIncidents; ++i) {
      // Whole incidents have frames == begin + 1, then + 2.
      ledger.add(*a, Cause::stalled, 4 * i, 4 * i + 1);
      ledger.add(*a, Cause::stalled, 8 * i + 1, 1);
      ledger.captured(*a, 100 * kIncidents);
    }
    allocated = test::allocations() - before;
    done = true;
  });
  Frames popped = 0;
  Frames torn = 0;
  for (bool last = false; !last;) {
    last = done;
    if (const auto open = a->open()) {
      const Frames extra = open->frames - open->begin;
      if (open->begin % 4 != 0 || (extra != 1 && extra != 2)) ++torn;
    }
    while (const auto incident = ledger.pop()) {
      CHECK(incident->begin == 4 * popped);
      CHECK(incident->frames == 4 * popped + 2);
      ++popped;
    }
  }
  pump.join();
  CHECK(popped == kIncidents);
  CHECK(torn == 0);
  CHECK(allocated == 0);
}

TEST_CASE("tickets are never given twice, and name the account for good") {
  Ledger ledger;
  Ticket last = ledger.open_account()->ticket();
  for (int i = 0; i < 100; ++i) {
    const auto next = ledger.open_account();  // the one before is gone
    CHECK(next->ticket() == last + 1);
    last = next->ticket();
    ledger.add(*next, Cause::stalled, 0, 10);
    ledger.close(*next, 5);
    check_next(ledger, Cause::stalled, last, 0, 5);
  }
}
