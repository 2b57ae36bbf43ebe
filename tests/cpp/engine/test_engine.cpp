// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "allocation_counter.hpp"
#include "capture/synthetic/synthetic_source.hpp"
#include "core/status.hpp"
#include "engine/engine.hpp"
#include "filters/gain.hpp"

using namespace pypac;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kRate = 48000;

std::shared_ptr<Source> synthetic(const SyntheticSignal& signal) {
  return std::make_shared<SyntheticSource>(signal, kRate, 2, kRate);
}

SyntheticSignal numbered() {
  SyntheticSignal signal;
  signal.kind = SyntheticSignal::Kind::numbered;
  return signal;
}

std::int64_t number_of(float sample) {
  return std::llround(sample * 16777216.0F);
}

/// Takes all that a ring gives, with its own thread, as an output does.
struct Collector {
  explicit Collector(std::shared_ptr<ReaderRing> taken) : ring(std::move(taken)) {
    thread = std::thread([this] {
      while (!ring->finished()) {
        if (!ring->wait(480, 100ms)) continue;
        const ReaderRing::Run run = ring->peek(4800);
        for (std::size_t track = 0; track < ring->track_count(); ++track) {
          const float* const samples = ring->samples(track, run);
          const std::uint32_t channels = ring->channels(track);
          if (tracks.size() <= track) tracks.emplace_back();
          for (std::uint32_t i = 0; i < run.frames; ++i)
            tracks[track].push_back(samples[std::size_t{i} * channels]);
        }
        if (run.frames) starts.push_back(run.start);
        ring->release(run.frames);
      }
    });
  }
  void join() { thread.join(); }

  std::shared_ptr<ReaderRing> ring;
  std::vector<std::vector<float>> tracks;  // first channel of each
  std::vector<Frames> starts;
  std::thread thread;
};

std::vector<Incident> incidents_of(Engine& engine) {
  std::vector<Incident> incidents;
  while (const auto incident = engine.ledger().pop()) incidents.push_back(*incident);
  return incidents;
}

}  // namespace

TEST_CASE("offline, every frame of every source arrives at its place, bit for bit") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920}, clock);
  SyntheticSignal irregular = numbered();
  irregular.quantum = 441;
  engine.add_source("a", synthetic(numbered()));
  engine.add_source("b", synthetic(irregular));
  engine.add_track("a", 2, {{0, 1.0F}}, {});
  engine.add_track("b", 1, {{1, 1.0F}}, {});
  std::uint32_t subject = 0;
  Collector collector(engine.add_output({0, 1}, 48000, subject));
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
  Engine engine({kRate, 480, 1920}, clock);
  SyntheticSignal signal = numbered();
  signal.dropouts = {{0.1, 9.0}, {0.5, 99.0}};
  engine.add_source("a", synthetic(signal));
  engine.add_track("a", 2, {{0, 1.0F}}, {});
  std::uint32_t subject = 0;
  Collector collector(engine.add_output({0}, 48000, subject));
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
  Engine engine({kRate, 480, 4800}, clock);
  SyntheticSignal tone;
  tone.frequency_hz = 100;
  tone.skew_ppm = 200;
  engine.add_source("skewed", synthetic(tone));
  engine.add_source("exact", synthetic(numbered()));
  engine.add_track("skewed", 1, {{0, 1.0F}}, {});
  engine.add_track("exact", 1, {{1, 1.0F}}, {});
  std::uint32_t subject = 0;
  Collector collector(engine.add_output({0, 1}, 48000, subject));
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
  Engine engine({kRate, 480, 1920}, clock);
  engine.add_source("a", synthetic(numbered()));
  auto half = std::make_unique<Gain>();
  half->set_parameter("gain_db", -20 * std::log10(2.0));
  std::vector<std::unique_ptr<Filter>> chain;
  chain.push_back(std::move(half));
  engine.add_track("a", 1, {{0, 1.0F}, {0, 3.0F}}, std::move(chain));
  std::uint32_t subject = 0;
  Collector collector(engine.add_output({0}, 48000, subject));
  engine.run_offline(4800);
  engine.finish_offline();
  collector.join();
  CHECK(collector.tracks[0][1000] == doctest::Approx(2 * 1000 / 16777216.0));
}

TEST_CASE("in real time the pump keeps the latency, never allocates, and ends to the frame") {
  SystemClock clock;
  Engine engine({kRate, 120, 480}, clock);
  engine.add_source("a", synthetic(numbered()));
  engine.add_track("a", 2, {{0, 1.0F}}, {});
  std::uint32_t subject = 0;
  const std::size_t allocations = test::realtime_allocations();
  Collector collector(engine.add_output({0}, 48000, subject));
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
  Engine engine({kRate, 120, 480}, clock);
  engine.add_source("a", synthetic(numbered()));
  engine.add_track("a", 1, {{0, 1.0F}}, {});
  engine.start(clock.now());
  for (int i = 0; i < 50; ++i) {
    std::uint32_t subject = 0;
    const auto ring = engine.add_output({0}, 4800, subject);
    REQUIRE(ring->wait(120, 5s));
    const ReaderRing::Run run = ring->peek(1);
    CHECK(number_of(*ring->samples(0, run)) == run.start);
    ring->close();
    engine.remove_output(*ring);
  }
  CHECK(engine.plan()->outputs.empty());
  engine.finish();
  CHECK(engine.wait_finished(5s));
  std::uint32_t subject = 0;
  CHECK(engine.add_output({0}, 4800, subject)->finished());
}

TEST_CASE("a reader that does not read loses its own frames, in the ledger, and nobody else's") {
  SystemClock clock;
  Engine engine({kRate, 480, 480}, clock);
  engine.add_source("a", synthetic(numbered()));
  engine.add_track("a", 1, {{0, 1.0F}}, {});
  std::uint32_t lazy_subject = 0;
  std::uint32_t subject = 0;
  const auto lazy = engine.add_output({0}, 4800, lazy_subject);
  Collector collector(engine.add_output({0}, 48000, subject));
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
    CHECK(incident.subject_kind == SubjectKind::output);
    CHECK(incident.subject == lazy_subject);
    lost += incident.frames;
  }
  CHECK(lost == lazy->lost_frames());
}

TEST_CASE("abort ends at once, also with a long latency") {
  SystemClock clock;
  Engine engine({kRate, 480, 96'000}, clock);
  engine.start(clock.now());
  const HostTime before = clock.now();
  engine.abort();
  CHECK(engine.wait_finished(5s));
  CHECK(clock.now() - before < 1s);
}

TEST_CASE("a send or an output that names nothing is refused and leaves the plan as it was") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920}, clock);
  std::uint32_t subject = 0;
  CHECK_THROWS_AS(engine.add_track("a", 2, {{0, 1.0F}}, {}), Failure);
  CHECK_THROWS_AS(static_cast<void>(engine.add_output({0}, 4800, subject)), Failure);
  CHECK(engine.plan()->tracks.empty());
  CHECK(engine.plan()->outputs.empty());
}

TEST_CASE("a track of one source at gain 1 is that source, in sound and on the meter") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920}, clock);
  SyntheticSignal tone;
  tone.level_dbfs = -6;
  engine.add_source("a", synthetic(tone));
  engine.add_track("passes", 2, {{0, 1.0F}}, {});
  engine.add_track("mixed", 2, {{0, 0.5F}, {0, 0.5F}}, {});
  engine.add_track("folded", 1, {{0, 1.0F}}, {});
  const auto plan = engine.plan();
  CHECK(plan->tracks[0].passes);
  CHECK_FALSE(plan->tracks[1].passes);
  CHECK_FALSE(plan->tracks[2].passes);
  std::uint32_t subject = 0;
  Collector collector(engine.add_output({0, 1, 2}, 48000, subject));
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
  Engine engine({kRate, 480, 480}, clock);
  engine.finish();
  engine.start(clock.now());
  CHECK(engine.wait_finished(5s));
  CHECK(engine.position() == 0);
}

TEST_CASE("an offline run that waits for a reader ends when it is interrupted or finished") {
  for (const bool by_finish : {false, true}) {
    ManualClock clock;
    Engine engine({kRate, 480, 480}, clock);
    engine.add_source("a", synthetic(numbered()));
    engine.add_track("a", 1, {{0, 1.0F}}, {});
    std::uint32_t subject = 0;
    const auto ring = engine.add_output({0}, 4800, subject);
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
