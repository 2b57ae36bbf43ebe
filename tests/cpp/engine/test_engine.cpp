// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "allocation_counter.hpp"
#include "core/status.hpp"
#include "filters/builtin_filters.hpp"
#include "running_engine.hpp"

using namespace pypac;
using namespace pypac::test;

TEST_CASE("offline, every frame of every source arrives at its place, bit for bit") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920}, builtin_filters(), clock);
  SyntheticSignal irregular = numbered();
  irregular.quantum = 441;
  engine.apply({{"a", synthetic(numbered())}, {"b", synthetic(irregular)}},
               {track("a", {{"a"}}), track("b", {{"b"}}, 1)});
  Collector collector(add_ring(engine, {"a", "b"}));
  engine.run_offline(100'007);
  engine.finish_offline();
  collector.join();
  REQUIRE(collector.tracks.size() == 2);
  for (const auto& track : collector.tracks) {
    REQUIRE(track.size() == 100'007);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < track.size(); ++i)
      wrong += number_of(track[i]) != static_cast<std::int64_t>(i);
    CHECK(wrong == 0);
  }
  CHECK(incidents_of(engine).empty());
}

TEST_CASE("each dropped packet is silence of its length, and in the ledger once") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920}, builtin_filters(), clock);
  SyntheticSignal signal = numbered();
  signal.dropouts = {{0.1, 9.0}, {0.5, 99.0}};
  engine.apply({{"a", synthetic(signal)}}, {track("a", {{"a"}})});
  Collector collector(add_ring(engine, {"a"}));
  engine.run_offline(kRate);
  engine.finish_offline();
  collector.join();
  REQUIRE(collector.tracks[0].size() == kRate);
  Frames silent = 0;
  for (std::size_t i = 1; i < kRate; ++i) {
    const std::int64_t number = number_of(collector.tracks[0][i]);
    if (number == 0)
      ++silent;
    else
      REQUIRE(number == static_cast<std::int64_t>(i));
  }
  CHECK(silent == 480 + 4800);
  const auto incidents = incidents_of(engine);
  REQUIRE(incidents.size() == 2);
  CHECK(incidents[0].begin == 4800);
  CHECK(incidents[0].frames == 480);
  CHECK(incidents[1].begin == 24000);
  CHECK(incidents[1].frames == 4800);
}

TEST_CASE("a skewed source stays on the timeline while its neighbour passes bit for bit") {
  ManualClock clock;
  Engine engine({kRate, 480, 4800}, builtin_filters(), clock);
  SyntheticSignal tone;
  tone.frequency_hz = 100;
  tone.skew_ppm = 200;
  engine.apply({{"skewed", synthetic(tone)}, {"exact", synthetic(numbered())}},
               {track("skewed", {{"skewed"}}, 1), track("exact", {{"exact"}}, 1)});
  Collector collector(add_ring(engine, {"skewed", "exact"}));
  engine.run_offline(Frames{60} * kRate);
  engine.finish_offline();
  collector.join();
  const auto plan = engine.plan();
  CHECK(plan->sources[0]->domain().drift_ppm() == doctest::Approx(200).epsilon(0.01));
  CHECK_FALSE(plan->sources[0]->domain().locked());
  CHECK(plan->sources[1]->domain().locked());
  CHECK(number_of(collector.tracks[1][2'000'000]) == 2'000'000);
  CHECK(incidents_of(engine).empty());
}

TEST_CASE("the filters of a track hear the mix, and sends have their gains") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920}, builtin_filters(), clock);
  const FilterSpec half{"half", "gain", {{"gain_db", -20 * std::log10(2.0)}}};
  engine.apply({{"a", synthetic(numbered())}},
               {track("a", {{"a"}, {"a", 20 * std::log10(3.0)}}, 1, {half})});
  Collector collector(add_ring(engine, {"a"}));
  engine.run_offline(4800);
  engine.finish_offline();
  collector.join();
  CHECK(collector.tracks[0][1000] == doctest::Approx(2 * 1000 / 16777216.0));
}

TEST_CASE("in real time the pump keeps the latency, never allocates, and ends to the frame") {
  SystemClock clock;
  Engine engine({kRate, 120, 480}, builtin_filters(), clock);
  engine.apply({{"a", synthetic(numbered())}}, {track("a", {{"a"}}, 2)});
  const std::size_t allocations = test::realtime_allocations();
  Collector collector(add_ring(engine, {"a"}));
  engine.set_end(24'001);
  engine.start(clock.now() + 10ms);
  CHECK_THROWS_AS(engine.start(clock.now()), Failure);
  while (!engine.wait_finished(10ms)) CHECK(engine.position() <= 24'001);
  collector.join();
  CHECK(test::realtime_allocations() == allocations);
  CHECK(engine.position() == 24'001);
  // No sooner than the last frame has been heard and the latency is over.
  CHECK(clock.now() - engine.anchor().host_time_of(24'001 + 480) > 0ns);
  Frames arrived = collector.ring->lost_frames();
  arrived += static_cast<Frames>(collector.tracks[0].size());
  CHECK(arrived == 24'001);
}

TEST_CASE("outputs come and go while running, and plans never outlive their use") {
  SystemClock clock;
  Engine engine({kRate, 120, 480}, builtin_filters(), clock);
  engine.apply({{"a", synthetic(numbered())}}, {track("a", {{"a"}}, 1)});
  engine.start(clock.now());
  for (int i = 0; i < 50; ++i) {
    const auto ring = add_ring(engine, {"a"}, 4800);
    REQUIRE(ring->wait(120, 5s));
    const ReaderRing::Run run = ring->peek(1);
    CHECK(number_of(*ring->samples(0, run)) == run.start);
    ring->close();
    engine.remove_output(*ring);
  }
  CHECK(engine.plan()->outputs.empty());
  engine.finish();
  CHECK(engine.wait_finished(5s));
  CHECK(add_ring(engine, {"a"}, 4800)->finished());
}

TEST_CASE("a reader that does not read loses its own frames, in the ledger, and nobody else's") {
  SystemClock clock;
  Engine engine({kRate, 480, 480}, builtin_filters(), clock);
  engine.apply({{"a", synthetic(numbered())}}, {track("a", {{"a"}}, 1)});
  const auto lazy = add_ring(engine, {"a"}, 4800, "lazy");
  Collector collector(add_ring(engine, {"a"}));
  engine.set_end(14'400);
  engine.start(clock.now());
  while (!engine.wait_finished(10ms)) {
  }
  collector.join();
  CHECK(lazy->lost_frames() == 14'400 - 4800);
  CHECK(collector.ring->lost_frames() == 0);
  CHECK(collector.tracks[0].size() == 14'400);
  Frames lost = 0;
  for (const Incident& incident : incidents_of(engine)) {
    if (incident.cause != Cause::output_overrun) continue;
    CHECK(engine.subject_of(incident.ticket).kind == SubjectKind::output);
    CHECK(engine.subject_of(incident.ticket).id == "lazy");
    lost += incident.frames;
  }
  CHECK(lost == lazy->lost_frames());
}

TEST_CASE("abort ends at once, also with a long latency") {
  SystemClock clock;
  Engine engine({kRate, 480, 96'000}, builtin_filters(), clock);
  engine.start(clock.now());
  const HostTime before = clock.now();
  engine.abort();
  CHECK(engine.wait_finished(5s));
  CHECK(clock.now() - before < 1s);
}

TEST_CASE("a send or an output that names nothing is refused and leaves the plan as it was") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920}, builtin_filters(), clock);
  CHECK_THROWS_AS(engine.apply({}, {track("a", {{"nobody"}})}), Failure);
  CHECK_THROWS_AS(static_cast<void>(add_ring(engine, {"a"}, 4800)), Failure);
  CHECK(engine.plan()->tracks.empty());
  CHECK(engine.plan()->outputs.empty());
}

TEST_CASE("a track of one source at gain 1 is that source, in sound and on the meter") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920}, builtin_filters(), clock);
  SyntheticSignal tone;
  tone.level_dbfs = -6;
  const double half_db = 20 * std::log10(0.5);
  engine.apply({{"a", synthetic(tone)}},
               {track("passes", {{"a"}}), track("mixed", {{"a", half_db}, {"a", half_db}}),
                track("folded", {{"a"}}, 1)});
  const auto plan = engine.plan();
  CHECK(plan->tracks[0].may_pass);
  CHECK_FALSE(plan->tracks[1].may_pass);
  CHECK_FALSE(plan->tracks[2].may_pass);
  Collector collector(add_ring(engine, {"passes", "mixed", "folded"}));
  engine.run_offline(kRate);
  engine.finish_offline();
  collector.join();
  CHECK(collector.tracks[0] == collector.tracks[1]);
  CHECK(collector.tracks[0] == collector.tracks[2]);
  CHECK(plan->tracks[0].node->meter().rms() == plan->tracks[1].node->meter().rms());
  CHECK(plan->tracks[0].node->meter().max_peak() == doctest::Approx(0.501).epsilon(0.001));
}

TEST_CASE("a session that is finished before it starts has no frames") {
  SystemClock clock;
  Engine engine({kRate, 480, 480}, builtin_filters(), clock);
  engine.finish();
  engine.start(clock.now());
  CHECK(engine.wait_finished(5s));
  CHECK(engine.position() == 0);
}

TEST_CASE("an offline run that waits for a reader ends when it is interrupted or finished") {
  for (const bool by_finish : {false, true}) {
    ManualClock clock;
    Engine engine({kRate, 480, 480}, builtin_filters(), clock);
    engine.apply({{"a", synthetic(numbered())}}, {track("a", {{"a"}}, 1)});
    const auto ring = add_ring(engine, {"a"}, 4800);
    std::atomic<int> asked{0};
    std::thread other([&] {
      while (asked < 1) std::this_thread::yield();
      if (by_finish) engine.finish_offline();
    });
    engine.run_offline(kRate, [&] { return ++asked > 1 && !by_finish; });
    other.join();
    engine.finish_offline();
    CHECK(engine.position() < kRate);
    CHECK(ring->lost_frames() == 0);
  }
}
