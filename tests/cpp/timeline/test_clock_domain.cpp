// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <thread>

#include "allocation_counter.hpp"
#include "simulated_clock.hpp"
#include "timeline/clock_domain.hpp"

using namespace pypac;
using namespace pypac::test;
using namespace std::chrono_literals;

namespace {

constexpr HostTime kOrigin = SimulatedClock::kStart;

Stamp stamp(ClockDomain& domain, const ClockReading& reading) {
  Stamp result;
  REQUIRE(domain.stamp(reading, result));
  return result;
}

ClockReading reading_at(std::int64_t position, double seconds, std::uint32_t frames = 1024) {
  ClockReading reading;
  reading.position = position;
  reading.frames = frames;
  reading.host_time = kOrigin + HostTime(std::llround(seconds * 1e9));
  return reading;
}

/// A domain that has run on a clean clock for `cycles` of 1024 frames; the next is number `cycles`.
void run(ClockDomain& domain, int cycles, bool has_position = true) {
  for (int i = 0; i < cycles; ++i) {
    ClockReading reading = reading_at(1024 * i, 1024.0 * i / 48000);
    reading.has_position = has_position;
    stamp(domain, reading);
  }
}

}  // namespace

TEST_CASE("the header's example: whole numbers whatever the jitter") {
  ClockDomain domain(48000);
  domain.set_origin(0ns);
  ClockReading reading;
  reading.position = 1000;
  reading.frames = 1024;
  reading.host_time = 1s;
  Stamp first = stamp(domain, reading);
  CHECK(first.timeline == 48000);
  CHECK(first.step == 1);
  reading.position = 2024;
  reading.host_time = 1s + 21'333'333ns + 300us;
  CHECK(stamp(domain, reading).timeline == 49024);
}

TEST_CASE("nothing is stamped before the origin is set, and the clock is learned meanwhile") {
  ClockDomain domain(48000);
  SimulatedClock clock(48000, 1024, 100, 0.2e-3);
  Stamp ignored;
  while (clock.true_seconds() < 60) CHECK_FALSE(domain.stamp(clock.next(), ignored));
  CHECK(domain.drift_ppm() == doctest::Approx(100).epsilon(0.02));
  domain.set_origin(kOrigin);
  while (clock.true_seconds() < 70) {
    const Stamp result = stamp(domain, clock.next());
    CHECK(std::abs(result.timeline - clock.true_seconds() * 48000) < 2);
  }
}

TEST_CASE("hours pass bit for bit under stamp jitter once the offset is known") {
  for (const double jitter : {0.0, 0.1e-3, 0.3e-3}) {
    ClockDomain domain(48000);
    domain.set_origin(kOrigin);
    SimulatedClock clock(48000, 1024, 0, jitter);
    Frames offset = 0;
    double locked_at = 0;
    bool exact = true;
    while (clock.true_seconds() < 4 * 3600) {
      const ClockReading reading = clock.next();
      const Stamp result = stamp(domain, reading);
      const double here = result.timeline - static_cast<double>(reading.position);
      if (clock.true_seconds() < 300) {
        if (!domain.locked()) locked_at = clock.true_seconds();
        offset = std::llround(here);
        continue;
      }
      exact = exact && domain.locked() && result.step == 1 && here == static_cast<double>(offset);
    }
    CHECK(exact);
    CHECK(std::abs(static_cast<double>(offset) + 123456) <= 1);
    std::printf("zero skew, %.1f ms rms stamp jitter: locked for good after %.0f s\n", jitter * 1e3,
                locked_at);
  }
}

TEST_CASE("a reading that repeats a position stays on the curve, the early one is suspect") {
  ClockDomain domain(48000);
  domain.set_origin(kOrigin);
  run(domain, 100);
  const Stamp early = stamp(domain, reading_at(101 * 1024, 101 * 1024 / 48000.0));
  CHECK(early.suspect);
  CHECK(early.timeline == 101 * 1024);
  const Stamp again = stamp(domain, reading_at(101 * 1024, 101 * 1024 / 48000.0));
  CHECK_FALSE(again.suspect);
  CHECK(again.timeline == 101 * 1024);
  CHECK(again.step == 1);
  const Stamp next = stamp(domain, reading_at(102 * 1024, 102 * 1024 / 48000.0));
  CHECK_FALSE(next.suspect);
  CHECK(next.timeline == 102 * 1024);
  CHECK(next.epoch == early.epoch);
  CHECK(domain.locked());
}

TEST_CASE("lost cycles stay in the epoch, further along the curve") {
  ClockDomain domain(48000);
  domain.set_origin(kOrigin);
  run(domain, 100);
  const Stamp later = stamp(domain, reading_at(105 * 1024, 105 * 1024 / 48000.0));
  CHECK_FALSE(later.suspect);
  CHECK(later.epoch == 1);
  CHECK(later.timeline == 105 * 1024);
  CHECK(domain.locked());
}

TEST_CASE("another clock id or rate is another epoch, placed by host time") {
  ClockDomain domain(48000);
  domain.set_origin(kOrigin);
  run(domain, 100);
  ClockReading other = reading_at(5'000'000, 2.5);
  other.clock_id = 99;
  Stamp result = stamp(domain, other);
  CHECK(result.epoch == 2);
  CHECK(result.timeline == 120000);
  CHECK(result.break_cause == Cause::clock_changed);
  CHECK(domain.locked());
  other = reading_at(44100 * 3, 3);
  other.clock_id = 99;
  other.rate = 44100;
  result = stamp(domain, other);
  CHECK(result.epoch == 3);
  CHECK(result.timeline == doctest::Approx(144000));
  CHECK(result.step == doctest::Approx(48000.0 / 44100));
  CHECK_FALSE(domain.locked());
}

TEST_CASE("a jump of position that host time does not follow is another epoch") {
  ClockDomain domain(48000);
  domain.set_origin(kOrigin);
  run(domain, 100);
  Stamp result = stamp(domain, reading_at(10 * 48000, 102400 / 48000.0 + 1));
  CHECK(result.epoch == 2);
  CHECK(result.timeline == 102400 + 48000);
  // And back to the beginning: the driver was restarted.
  result = stamp(domain, reading_at(0, 5));
  CHECK(result.epoch == 3);
  CHECK(result.timeline == 5 * 48000);
}

TEST_CASE(
    "a pause with contiguous positions is confirmed by the second reading, which claims the "
    "first") {
  ClockDomain domain(48000);
  domain.set_origin(kOrigin);
  run(domain, 100);
  const Stamp first = stamp(domain, reading_at(102400, 7));
  CHECK(first.suspect);
  CHECK(first.timeline == 102400);
  const Stamp second = stamp(domain, reading_at(103424, 7 + 1024 / 48000.0));
  CHECK(second.claims_previous);
  CHECK(second.epoch == first.epoch + 1);
  CHECK(second.break_cause == Cause::clock_changed);
  CHECK(second.timeline == 7 * 48000 + 1024);
}

TEST_CASE("after a pause the clock's rate is still known") {
  ClockDomain domain(48000);
  domain.set_origin(kOrigin);
  SimulatedClock clock(48000, 1024, 150, 0);
  while (clock.true_seconds() < 60) stamp(domain, clock.next());
  for (int i = 0; i < 500; ++i) {
    ClockReading reading = clock.next();
    reading.host_time += 7s;
    const Stamp result = stamp(domain, reading);
    if (i == 0) continue;
    CHECK(result.epoch == 2);
    CHECK(std::abs(result.timeline - (clock.true_seconds() + 7) * 48000) < 0.1);
    CHECK(std::abs(result.step - 1 / (1 + 150e-6)) < 1e-6);
  }
}

TEST_CASE("one stamp that is 600 ms or 8 h off, zero, or declared wrong moves nothing") {
  for (const bool has_position : {true, false}) {
    for (const double off : {0.6, -0.6, 8 * 3600.0, -1000.0, 0.0}) {
      ClockDomain domain(48000);
      domain.set_origin(kOrigin);
      run(domain, 100, has_position);
      for (int i = 100; i < 400; ++i) {
        const bool wrong = i % 50 == 0;
        ClockReading reading = reading_at(1024 * i, 1024.0 * i / 48000 + (wrong ? off : 0));
        reading.has_position = has_position;
        reading.host_time_valid = !wrong || off != 0;
        const Stamp result = stamp(domain, reading);
        CHECK(result.timeline == 1024 * i);
        CHECK(result.epoch == 1);
        CHECK(result.clamped == wrong);
        CHECK_FALSE(result.claims_previous);
      }
      CHECK(domain.locked());
    }
  }
}

TEST_CASE("a stamp far from when it was handed over is not believed, even at first") {
  ClockDomain domain(48000);
  domain.set_origin(kOrigin);
  for (int i = 0; i < 100; ++i) {
    ClockReading reading = reading_at(0, 1024.0 * i / 48000 + 8 * 3600);
    reading.has_position = false;
    reading.received = kOrigin + HostTime(std::llround(1024.0 * (i + 1) / 48000 * 1e9));
    const Stamp result = stamp(domain, reading);
    CHECK(result.clamped);
    CHECK(result.timeline == 1024 * i);
  }
}

TEST_CASE(
    "a slip of 16 ms and back changes nothing; where it stays, a new epoch follows host time") {
  for (const double slip : {0.016, -0.016}) {
    ClockDomain domain(48000);
    domain.set_origin(kOrigin);
    run(domain, 100);
    for (int i = 100; i < 107; ++i)
      CHECK(stamp(domain, reading_at(1024 * i, 1024.0 * i / 48000 + slip)).timeline == 1024 * i);
    for (int i = 107; i < 200; ++i)
      CHECK(stamp(domain, reading_at(1024 * i, 1024.0 * i / 48000)).timeline == 1024 * i);
    CHECK(domain.locked());
    for (int i = 200; i < 300; ++i) {
      const Stamp result = stamp(domain, reading_at(1024 * i, 1024.0 * i / 48000 + slip));
      // Eleven readings of 21 ms make 200 ms.
      CHECK(result.epoch == (i < 210 ? 1 : 2));
      CHECK(result.timeline == 1024 * i + (i < 210 ? 0 : slip * 48000));
      if (i >= 210) CHECK(result.break_cause == Cause::clock_stepped);
    }
  }
}

TEST_CASE("a clock without positions counts frames, and host time says which are missing") {
  ClockDomain domain(48000);
  domain.set_origin(kOrigin);
  run(domain, 100, false);
  auto next = [&](double seconds) {
    ClockReading reading = reading_at(0, seconds);
    reading.has_position = false;
    return stamp(domain, reading);
  };
  double seconds = 102400 / 48000.0;
  SUBCASE("half a second at once: two packets agree") {
    seconds += 0.5;
    const Stamp first = next(seconds);
    CHECK(first.suspect);
    const Stamp second = next(seconds + 1024 / 48000.0);
    CHECK(second.claims_previous);
    CHECK(second.timeline == 102400 + 24000 + 1024);
    CHECK(second.device_time == first.device_time + 24000 + 1024);
    CHECK(second.epoch == first.epoch);
    CHECK(domain.locked());
  }
  SUBCASE("20 ms: three packets agree") {
    seconds += 0.02;
    CHECK(next(seconds).timeline == 102400);
    CHECK(next(seconds + 1024 / 48000.0).timeline == 103424);
    CHECK(next(seconds + 2048 / 48000.0).timeline == 104448 + 960);
    CHECK(next(seconds + 3072 / 48000.0).timeline == 105472 + 960);
  }
  SUBCASE("packets that come in bursts with honest stamps are not gaps") {
    Dice dice(3);
    double frames = 102400;
    for (int i = 0; i < 2000; ++i) {
      ClockReading reading = reading_at(0, frames / 48000);
      reading.has_position = false;
      reading.frames = 100 + dice.below(900);
      const Stamp result = stamp(domain, reading);
      CHECK(result.timeline == frames);
      frames += reading.frames;
    }
  }
}

TEST_CASE("the curve is continuous and steps stay within 1000 ppm of the clock's rate") {
  ClockDomain domain(48000);
  domain.set_origin(kOrigin);
  SimulatedClock clock(48000, 480, 300, 1e-3);
  Dice dice(5);
  Stamp last = stamp(domain, clock.next());
  double worst_break = 0;
  double worst_step = 0;
  while (clock.true_seconds() < 300) {
    ClockReading reading = clock.next();
    while (dice.one_in(50)) reading = clock.next();
    const Stamp result = stamp(domain, reading);
    const double end =
        last.timeline + static_cast<double>(result.device_time - last.device_time) * last.step;
    worst_break = std::max(worst_break, std::abs(end - result.timeline));
    worst_step = std::max(worst_step, std::abs(result.step - 1));
    last = result;
  }
  CHECK(worst_break < 1e-6);
  CHECK(worst_step < 2e-3);
  CHECK(last.epoch == 1);
}

namespace {

/// A timer-driven clock as PipeWire's: the first cycle of another length still gets the old
/// length's time. Returns the stamp of the last cycle.
struct SlippingClock {
  Stamp run(ClockDomain& domain, std::uint32_t quantum, double seconds) {
    Stamp stamp;
    for (double end = host_s + seconds; host_s < end;) {
      reading.position += reading.frames;
      reading.frames = quantum;
      reading.host_time = HostTime(std::llround(host_s * 1e9));
      REQUIRE(domain.stamp(reading, stamp));
      host_s += (last_quantum ? last_quantum : quantum) / 48000.0;
      last_quantum = quantum;
    }
    return stamp;
  }
  ClockReading reading{.clock_id = 1};
  double host_s = 100;
  std::uint32_t last_quantum = 0;
};

}  // namespace

TEST_CASE("a change of the packets' length slips host time and cuts nothing, both ways") {
  ClockDomain domain(48000);
  domain.set_origin(HostTime(0));
  SlippingClock clock;
  const Stamp before = clock.run(domain, 1024, 5);
  const Frames offset = static_cast<Frames>(before.timeline) - before.device_time;
  for (const std::uint32_t quantum : {256U, 1024U, 2048U, 512U, 1024U}) {
    const Stamp after = clock.run(domain, quantum, 2);
    CHECK(after.epoch == before.epoch);
    CHECK(static_cast<Frames>(after.timeline) - after.device_time == offset);
    CHECK(after.step == 1);
  }
}

TEST_CASE("a slip that would delay frames by more than is allowed is a step") {
  ClockDomain domain(48000);
  domain.allow_delay(std::chrono::milliseconds(10));
  domain.set_origin(HostTime(0));
  SlippingClock clock;
  const Stamp before = clock.run(domain, 1024, 5);
  const Stamp after = clock.run(domain, 256, 2);
  CHECK(after.epoch != before.epoch);
  CHECK(after.break_cause == Cause::clock_stepped);
}

TEST_CASE("drift is read beside the stamps, and the origin may be set beside them") {
  ClockDomain domain(48000);
  SimulatedClock clock(48000, 1024, -200, 0.1e-3);
  bool stamped = false;
  std::size_t allocated = 0;
  std::thread capture([&] {
    const std::size_t before = allocations();
    Stamp result;
    // On a busy machine all of that may be over before the origin is set.
    while (clock.true_seconds() < 400 || !stamped) stamped = domain.stamp(clock.next(), result);
    allocated = allocations() - before;
  });
  domain.set_origin(kOrigin);
  double drift = 0;
  bool locked = true;
  for (int i = 0; i < 1000; ++i) {
    drift = domain.drift_ppm();
    locked = domain.locked();
  }
  capture.join();
  static_cast<void>(locked);
  CHECK(drift <= 0.1);
  CHECK(stamped);
  CHECK(allocated == 0);
  CHECK(domain.drift_ppm() == doctest::Approx(-200).epsilon(0.01));
  CHECK_FALSE(domain.locked());
}
