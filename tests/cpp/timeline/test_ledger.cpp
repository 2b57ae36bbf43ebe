// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "allocation_counter.hpp"
#include "timeline/ledger.hpp"

using namespace pypac;

namespace {

constexpr auto kSource = SubjectKind::source;
constexpr auto kOutput = SubjectKind::output;

void check_next(Ledger& ledger, Cause cause, std::uint32_t subject, Frames begin, Frames frames) {
  const auto incident = ledger.pop();
  REQUIRE(incident);
  CHECK(incident->cause == cause);
  CHECK(incident->subject == subject);
  CHECK(incident->begin == begin);
  CHECK(incident->frames == frames);
}

}  // namespace

TEST_CASE("contiguous pieces with one cause become one incident") {
  Ledger ledger(2, 1);
  ledger.add(kSource, 1, Cause::stalled, 0, 480);
  ledger.add(kSource, 1, Cause::stalled, 480, 480);
  ledger.add(kSource, 0, Cause::stalled, 960, 480);
  CHECK_FALSE(ledger.pop());
  const auto open = ledger.open(kSource, 1);
  REQUIRE(open);
  CHECK(open->frames == 960);
  ledger.captured(kSource, 1, 1000);
  check_next(ledger, Cause::stalled, 1, 0, 960);
  CHECK_FALSE(ledger.open(kSource, 1));
  CHECK(ledger.open(kSource, 0));
  CHECK_FALSE(ledger.open(kOutput, 0));
}

TEST_CASE("what goes over into a pause or an end belongs to it") {
  Ledger ledger(1, 0, 16, 500);
  for (const Cause cause : {Cause::paused, Cause::not_running, Cause::no_stream}) {
    for (const Cause before : {Cause::underrun, Cause::stalled}) {
      ledger.add(kSource, 0, before, 0, 500);
      ledger.add(kSource, 0, cause, 500, 100);
      ledger.captured(kSource, 0, 1000);
      check_next(ledger, cause, 0, 0, 600);
    }
  }
  ledger.add(kSource, 0, Cause::underrun, 0, 500);
  ledger.add(kSource, 0, Cause::stalled, 500, 100);
  ledger.captured(kSource, 0, 1000);
  check_next(ledger, Cause::stalled, 0, 0, 600);
  CHECK_FALSE(ledger.pop());
}

TEST_CASE("a long stall, a hole and another beginning stay what they are") {
  Ledger ledger(1, 0, 16, 500);
  ledger.add(kSource, 0, Cause::stalled, 0, 501);
  ledger.add(kSource, 0, Cause::paused, 501, 100);
  check_next(ledger, Cause::stalled, 0, 0, 501);
  ledger.add(kSource, 0, Cause::underrun, 700, 100);
  check_next(ledger, Cause::paused, 0, 501, 100);
  ledger.add(kSource, 0, Cause::paused, 801, 100);
  check_next(ledger, Cause::underrun, 0, 700, 100);
  ledger.add(kSource, 0, Cause::starting, 901, 100);
  check_next(ledger, Cause::paused, 0, 801, 100);
}

TEST_CASE("another cause or a hole begins another incident") {
  Ledger ledger(1, 1);
  ledger.add(kSource, 0, Cause::not_running, 0, 100);
  ledger.add(kSource, 0, Cause::starting, 100, 100);
  ledger.add(kSource, 0, Cause::starting, 300, 100);
  ledger.close_all(1000);
  check_next(ledger, Cause::not_running, 0, 0, 100);
  check_next(ledger, Cause::starting, 0, 100, 100);
  check_next(ledger, Cause::starting, 0, 300, 100);
}

TEST_CASE("a gap announced ahead of what is played stays open and is cut at the session's end") {
  Ledger ledger(1, 1);
  ledger.add(kSource, 0, Cause::lost_cycles, 500, 1000);
  ledger.captured(kSource, 0, 480);
  CHECK(ledger.open(kSource, 0));
  ledger.close_all(800);
  check_next(ledger, Cause::lost_cycles, 0, 500, 300);
}

TEST_CASE("what the list has no room for is counted") {
  Ledger ledger(1, 1, 4);
  for (int i = 0; i < 10; ++i) {
    ledger.add(kOutput, 0, Cause::output_overrun, 1000 * i, 10);
    ledger.captured(kOutput, 0, 1000 * i + 500);
  }
  for (int i = 0; i < 4; ++i) check_next(ledger, Cause::output_overrun, 0, 1000 * i, 10);
  CHECK_FALSE(ledger.pop());
  CHECK(ledger.unlisted(Cause::output_overrun).incidents == 6);
  CHECK(ledger.unlisted(Cause::output_overrun).frames == 60);
  CHECK(ledger.unlisted(Cause::stalled).incidents == 0);
}

TEST_CASE("the control thread reads whole incidents while the pump writes") {
  Ledger ledger(1, 1, 1 << 16);
  std::atomic<bool> done{false};
  constexpr Frames kIncidents = 20000;
  std::size_t allocated = 0;
  std::thread pump([&] {
    const std::size_t before = test::allocations();
    for (Frames i = 0; i < kIncidents; ++i) {
      // Whole incidents have frames == begin + 1, then + 2.
      ledger.add(kSource, 0, Cause::stalled, 4 * i, 4 * i + 1);
      ledger.add(kSource, 0, Cause::stalled, 8 * i + 1, 1);
      ledger.captured(kSource, 0, 100 * kIncidents);
    }
    allocated = test::allocations() - before;
    done = true;
  });
  Frames popped = 0;
  Frames torn = 0;
  for (bool last = false; !last;) {
    last = done;
    if (const auto open = ledger.open(kSource, 0)) {
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
