// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "allocation_counter.hpp"
#include "core/status.hpp"
#include "filters/builtin_filters.hpp"
#include "lagging_filter.hpp"
#include "running_engine.hpp"

using namespace pypac;
using namespace pypac::test;

namespace {

const FilterRegistry& filters() {
  static const FilterRegistry registry = [] {
    FilterRegistry all;
    add_builtin_filters(all);
    all.add([] { return std::make_unique<LaggingFilter>(); });
    return all;
  }();
  return registry;
}

FilterSpec lagging(const std::string& id, double frames, const std::string& key = "") {
  return {id, "lagging", {{"lag_frames", frames}, {"key", key}}};
}

SyntheticSignal tone(double frequency_hz, double level_dbfs = 0) {
  SyntheticSignal signal;
  signal.frequency_hz = frequency_hz;
  signal.level_dbfs = level_dbfs;
  return signal;
}

/// How far neighbouring samples are from each other at most.
float largest_step(const std::vector<float>& samples, std::size_t begin = 0) {
  float step = 0;
  for (std::size_t i = begin + 1; i < samples.size(); ++i)
    step = std::max(step, std::fabs(samples[i] - samples[i - 1]));
  return step;
}

/// Every sample carries the number of its own frame.
bool is_numbered(const std::vector<float>& samples, Frames first = 0) {
  for (std::size_t i = 0; i < samples.size(); ++i)
    if (number_of(samples[i]) != first + static_cast<Frames>(i)) return false;
  return true;
}

}  // namespace

TEST_CASE("filters with latency move no track, bit for bit, and the end is whole") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920}, filters(), clock);
  engine.apply(
      {{"a", synthetic(numbered())}},
      {track("slow", {{"a"}}, 2, {lagging("l", 700)}), track("plain", {{"a"}}),
       track("keyed", {{"a", -200}}, 2, {lagging("first", 100), lagging("k", 0, "slow")})});
  CHECK(engine.budget_frames() == 960);
  Collector collector(add_ring(engine, {"slow", "plain", "keyed"}));
  engine.run_offline(10'001);
  engine.run_offline(10'000);
  engine.finish_offline();
  collector.join();
  CHECK(engine.position() == 20'001);
  CHECK(collector.starts.front() == 0);
  for (const auto& one : collector.tracks) REQUIRE(one.size() == 20'001);
  CHECK(is_numbered(collector.tracks[0]));
  CHECK(is_numbered(collector.tracks[1]));
  // Its own sound is far away; what is heard is its key, and that is in time.
  CHECK(is_numbered(collector.tracks[2]));
  CHECK(incidents_of(engine).empty());
}

TEST_CASE("values change without a click: 40 dB on 100 Hz steps no more than the tone itself") {
  const float own = 2 * 3.14159265F * 100 / 48000;
  for (const std::string what : {"track", "send", "filter", "mute", "bypass"}) {
    ManualClock clock;
    Engine engine({kRate, 60, 1920}, filters(), clock);  // short blocks
    engine.apply({{"a", synthetic(tone(100))}},
                 {track("a", {{"a"}}, 1, {{"g", "gain", {{"gain_db", 0.0}}}})});
    Collector collector(add_ring(engine, {"a"}));
    const auto set = [&](bool quiet) {
      const double gain_db = quiet ? -40 : 0;
      if (what == "track") engine.set_track_gain("a", gain_db);
      if (what == "send") engine.set_send_gain("a", "a", gain_db);
      if (what == "filter") engine.set_filter("a", "g", "gain_db", gain_db);
      if (what == "mute") engine.set_track_muted("a", quiet);
      if (what == "bypass") engine.set_filter_bypassed("a", "g", quiet);
    };
    for (int i = 0; i < 40; ++i) {
      engine.run_offline(1207);
      set(i % 2 == 0);
    }
    engine.finish_offline();
    collector.join();
    CAPTURE(what);
    CHECK(largest_step(collector.tracks[0]) < 1.05F * own);
    const auto begin = collector.tracks[0].begin() + 1207;
    // One block and 10 ms later it is there.
    const float after = *std::max_element(begin + 60 + 480, begin + 1207, [](float a, float b) {
      return std::fabs(a) < std::fabs(b);
    });
    if (what == "mute")
      CHECK(after == 0.0F);
    else if (what == "bypass")
      CHECK(std::fabs(after) > 0.9F);
    else
      CHECK(std::fabs(after) < 0.011F);
  }
}

TEST_CASE("a mute is in the ledger for as long as it lasts, and told as the track's") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920}, filters(), clock);
  engine.apply({{"a", synthetic(numbered())}}, {track("voice", {{"a"}}), track("empty", {})});
  engine.run_offline(4800);
  engine.set_track_muted("voice", true);
  engine.run_offline(4800);
  engine.set_track_muted("voice", false);
  engine.run_offline(4800);
  engine.finish_offline();
  const auto incidents = incidents_of(engine);
  REQUIRE(incidents.size() == 2);
  CHECK(incidents[0].cause == Cause::track_muted);
  CHECK(engine.subject_of(incidents[0].ticket).id == "voice");
  CHECK(engine.subject_of(incidents[0].ticket).kind == SubjectKind::track);
  CHECK(incidents[0].begin == 5280);  // faded out by then
  CHECK(incidents[0].frames == 4800 - 480);
  CHECK(incidents[1].cause == Cause::no_sources);
  CHECK(incidents[1].frames == 14'400);
}

TEST_CASE("sources, tracks and filters come and go, and what stays loses and moves no frame") {
  SystemClock clock;
  Engine engine({kRate, 120, 480, 960}, filters(), clock);
  const SourceSpec kept{"kept", synthetic(numbered())};
  engine.apply({kept}, {track("kept", {{"kept"}}), track("filtered", {{"kept"}}, 2)});
  Collector collector(add_ring(engine, {"kept", "filtered"}, 4 * kRate));
  engine.start(clock.now() + 10ms);
  std::mt19937 random(3);
  const std::size_t allocations = test::realtime_allocations();
  for (int edit = 0; edit < 60; ++edit) {
    std::vector<SourceSpec> sources{kept};
    // Latency comes and goes on the second track: a new chain each time.
    std::vector<FilterSpec> chain;
    if (edit % 20 > 10) chain.push_back(lagging("l", 300));
    std::vector<TrackSpec> tracks{track("kept", {{"kept"}}),
                                  track("filtered", {{"kept"}}, 2, chain)};
    for (unsigned i = 0; i < random() % 4; ++i) {
      const std::string id = "s" + std::to_string(edit) + "-" + std::to_string(i);
      sources.push_back({id, synthetic(tone(440, -20))});
      tracks.push_back(track(id, {{id}, {"kept", -200}}));
    }
    engine.apply(sources, tracks);
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 15));
    engine.collect();
  }
  engine.apply({kept}, {track("kept", {{"kept"}}), track("filtered", {{"kept"}}, 2)});
  while (engine.plan()->fades()) {
    engine.collect();
    std::this_thread::sleep_for(1ms);
  }
  CHECK(engine.plan()->sources.size() == 1);
  engine.finish();
  while (!engine.wait_finished(10ms)) {
  }
  collector.join();
  CHECK(test::realtime_allocations() == allocations);
  CHECK(is_numbered(collector.tracks[0]));
  CHECK(is_numbered(collector.tracks[1]));
  CHECK(static_cast<Frames>(collector.tracks[0].size()) == engine.position());
  for (const Incident& incident : incidents_of(engine))
    CHECK(engine.subject_of(incident.ticket).id != "kept");
}

TEST_CASE("a source that joins is in its place, faded in") {
  SystemClock clock;
  Engine engine({kRate, 480, 960}, filters(), clock);
  engine.apply({}, {track("a", {}, 1)});
  Collector collector(add_ring(engine, {"a"}));
  engine.start(clock.now());
  while (engine.position() < 4800) std::this_thread::sleep_for(1ms);
  const Frames before = engine.position();
  engine.apply({{"late", synthetic(numbered())}}, {track("a", {{"late"}}, 1)});
  const Frames joined = engine.position();  // at the latest
  while (engine.position() < joined + 9600) std::this_thread::sleep_for(1ms);
  engine.finish();
  while (!engine.wait_finished(10ms)) {
  }
  collector.join();
  const std::vector<float>& samples = collector.tracks[0];
  CHECK(samples[static_cast<std::size_t>(before) - 1] == 0);
  for (std::size_t i = static_cast<std::size_t>(joined) + 4800; i < samples.size(); ++i)
    REQUIRE(number_of(samples[i]) == static_cast<Frames>(i));
}

TEST_CASE("what is refused changes nothing") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920}, filters(), clock);
  const SourceSpec a{"a", synthetic(numbered())};
  engine.apply({a}, {track("a", {{"a"}}, 2, {{"g", "gain", {{"gain_db", 0.0}}}})});
  const auto plan = engine.plan();
  CHECK_THROWS_AS(engine.apply({a}, {track("a", {{"b"}})}), Failure);
  CHECK_THROWS_AS(engine.apply({a, a}, {track("a", {{"a"}})}), Failure);
  CHECK_THROWS_AS(engine.apply({a}, {track("a", {{"a"}}, 2, {{"x", "reverb", {}}})}), Failure);
  CHECK_THROWS_AS(engine.apply({a}, {track("a", {{"a"}}, 2, {lagging("l", 10)})}), Failure);
  CHECK_THROWS_AS(engine.set_track_gain("b", 0), Failure);
  CHECK_THROWS_AS(engine.set_send_gain("a", "b", 0), Failure);
  CHECK_THROWS_AS(engine.set_filter("a", "h", "gain_db", 0.0), Failure);
  CHECK_THROWS_AS(engine.set_filter("a", "g", "gain", 0.0), Failure);
  CHECK_THROWS_AS(engine.set_filter("a", "g", "gain_db", 100.0), Failure);
  CHECK(engine.plan() == plan);
}

TEST_CASE("all levels come with one call") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920}, filters(), clock);
  const FilterSpec leveller{"even", "leveller", {{"target_lufs", -30.0}, {"speed_db_s", 20.0}}};
  engine.apply({{"a", synthetic(tone(1000, -6))}},
               {track("x", {{"a", -20}}), track("y", {{"a"}}), track("z", {{"a"}}, 2, {leveller})});
  engine.run_offline(5 * kRate);
  constexpr std::size_t kSource = Engine::kSourceLevels;
  constexpr std::size_t kTrack = Engine::kTrackLevels;
  std::vector<float> levels(2);
  CHECK(engine.levels(levels) == kSource + 3 * kTrack + 1);
  levels.resize(kSource + 3 * kTrack + 1);
  CHECK(engine.levels(levels) == levels.size());
  const float* const x = levels.data() + kSource;
  const float* const y = x + kTrack;  // what is sent to it passes
  const float* const z = y + kTrack;
  CHECK(levels[0] == doctest::Approx(0.501).epsilon(0.001));
  CHECK(x[0] == doctest::Approx(0.0501).epsilon(0.001));
  CHECK(y[1] == doctest::Approx(0.501 / std::sqrt(2)).epsilon(0.01));
  CHECK(y[2] == doctest::Approx(0.501).epsilon(0.001));
  // True peak and highest; momentary, short-term and integrated loudness; range; the highest.
  for (const std::size_t peak : {3, 4}) {
    CHECK(x[peak] == doctest::Approx(0.0501).epsilon(0.01));
    CHECK(y[peak] == doctest::Approx(0.501).epsilon(0.01));
  }
  for (const std::size_t loudness : {5, 6, 7, 9, 10}) {
    CHECK(x[loudness] == doctest::Approx(-26).epsilon(0.002));
    CHECK(y[loudness] == doctest::Approx(-6).epsilon(0.01));
  }
  CHECK(y[8] < 0.01);
  CHECK(z[5] == doctest::Approx(-26).epsilon(0.01));  // 20 dB down at most
  CHECK(levels.back() == doctest::Approx(20).epsilon(0.01));

  const Engine::LevelLayout layout = engine.level_layout();
  CHECK(layout.sources == std::vector<std::string>{"a"});
  CHECK(layout.tracks == std::vector<std::string>{"x", "y", "z"});
  REQUIRE(layout.reducers.size() == 1);
  CHECK(layout.reducers[0].track == "z");
  CHECK(layout.reducers[0].filter == "even");
  CHECK(engine.reductions("x").empty());
  CHECK(engine.reductions("z")[0].db == levels.back());

  engine.set_track_gain("x", -20);
  engine.restart_loudness("x");
  CHECK_THROWS_AS(engine.restart_loudness("w"), Failure);
  engine.run_offline(kRate);
  engine.levels(levels);
  CHECK(x[7] == doctest::Approx(-46).epsilon(0.02));
  CHECK(y[7] == doctest::Approx(-6).epsilon(0.01));
}

TEST_CASE("a track that loses its only source is silent, and a source that comes back is heard") {
  SystemClock clock;
  Engine engine({kRate, 120, 480}, filters(), clock);
  const SourceSpec a{"a", synthetic(numbered())};
  engine.apply({a}, {track("t", {{"a"}}, 2)});
  Collector collector(add_ring(engine, {"t"}));
  engine.start(clock.now());
  const auto hear = [&](Frames frames) {
    const Frames until = engine.position() + frames;
    while (engine.position() < until) std::this_thread::sleep_for(1ms);
  };
  hear(2400);
  engine.apply({a}, {track("t", {}, 2)});
  const auto silent_from = static_cast<std::size_t>(engine.position()) + 1200;
  hear(4800);
  const auto silent_until = static_cast<std::size_t>(engine.position()) - 480;
  engine.collect();
  CHECK_FALSE(engine.plan()->fades());
  engine.apply({a}, {track("t", {{"a"}}, 2)});
  hear(4800);
  engine.finish();
  while (!engine.wait_finished(10ms)) {
  }
  collector.join();
  const std::vector<float>& samples = collector.tracks[0];
  for (std::size_t i = silent_from; i < silent_until; ++i) REQUIRE(samples[i] == 0);
  for (std::size_t i = samples.size() - 1200; i < samples.size(); ++i)
    REQUIRE(number_of(samples[i]) == static_cast<Frames>(i));
}

TEST_CASE("an output goes on in another one without a hole, however often it is replaced") {
  SystemClock clock;
  Engine engine({kRate, 120, 480}, filters(), clock);
  const SourceSpec a{"a", synthetic(numbered())};
  std::vector<TrackSpec> tracks{track("t", {{"a"}}, 1)};
  engine.apply({a}, tracks);
  std::vector<std::shared_ptr<ReaderRing>> rings{add_ring(engine, {"t"}, 4 * kRate)};
  engine.start(clock.now());
  std::vector<std::string> names{"t"};
  for (int i = 0; i < 20; ++i) {
    names.push_back("more " + std::to_string(i));
    tracks.push_back(track(names.back(), {{"a"}}, 1));
    engine.apply({a}, tracks);
    const auto next = std::make_shared<ReaderRing>(engine.channels_of(names), 120, 4 * kRate);
    engine.replace_sink(*rings.back(), "output", next, names);
    rings.push_back(next);
    std::this_thread::sleep_for(std::chrono::milliseconds(i % 4));
  }
  engine.finish();
  while (!engine.wait_finished(10ms)) {
  }
  Frames expected = 0;
  for (const auto& ring : rings) {
    while (ring->available() > 0) {
      const ReaderRing::Run run = ring->peek(kRate);
      REQUIRE(run.start == expected);
      REQUIRE(number_of(*ring->samples(0, run)) == expected);
      expected += run.frames;
      ring->release(run.frames);
    }
    CHECK(ring->finished());
  }
  CHECK(expected == engine.position());
}

TEST_CASE("a muted track is silent whatever its program gives") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920}, filters(), clock);
  TrackSpec muted = track("t", {{"a", 40}}, 1, {{"g", "gain", {{"gain_db", 40.0}}}});
  muted.muted = true;
  engine.apply({{"a", synthetic(tone(100))}}, {muted});
  Collector collector(add_ring(engine, {"t"}));
  engine.run_offline(4800);
  engine.finish_offline();
  collector.join();
  for (const float sample : collector.tracks[0]) REQUIRE(sample == 0);
}

namespace {

/// Doubles its input, a block later, when what does its work has started; until then it lets it
/// pass, and calls that late. There are two of them, told apart by `number`.
class StartedFilter final : public Filter {
 public:
  static inline std::array<std::atomic<bool>, 2> may_start{true, true};
  static inline std::array<std::atomic<bool>, 2> is_late{false, false};

  [[nodiscard]] const PluginInfo& info() const noexcept override {
    static const PluginInfo info{.kind = "started",
                                 .params = {{.id = "number",
                                             .type = ParamType::integer,
                                             .max = 1,
                                             .fallback = 0.0,
                                             .live = false}}};
    return info;
  }
  void activate(const Activation& activation) override {
    number_ = static_cast<std::size_t>(activation.values[0]);
    line_.emplace(activation.channels, kLag, activation.max_frames);
  }
  void process(const ProcessContext& context) noexcept override {
    line_->process(kLag, context.audio);
    started_ = started_ || may_start[number_];
    late_ = started_ && !is_late[number_] ? 0 : context.audio.frames;
    if (late_ > 0) return;
    for (std::uint32_t c = 0; c < context.audio.channel_count; ++c)
      for (std::uint32_t i = 0; i < context.audio.frames; ++i) context.audio.channels[c][i] *= 2;
  }
  [[nodiscard]] std::uint32_t latency_frames() const noexcept override { return kLag; }
  [[nodiscard]] std::uint32_t late_frames() const noexcept override { return late_; }
  [[nodiscard]] bool ready() const noexcept override { return started_; }

 private:
  static constexpr std::uint32_t kLag = 480;
  std::size_t number_ = 0;
  std::optional<DelayLine> line_;
  std::uint32_t late_ = 0;
  bool started_ = false;
};

const FilterRegistry& started_filters() {
  static const FilterRegistry registry = [] {
    FilterRegistry all;
    add_builtin_filters(all);
    all.add([] { return std::make_unique<LaggingFilter>(); });
    all.add([] { return std::make_unique<StartedFilter>(); });
    return all;
  }();
  return registry;
}

FilterSpec started(const std::string& id, double number = 0) {
  return {id, "started", {{"number", number}}};
}

}  // namespace

TEST_CASE("a filter that runs is heard until those of a new chain have started") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920, 960}, started_filters(), clock);
  const SourceSpec source{"a", synthetic(numbered())};
  engine.apply({source}, {track("t", {{"a"}}, 1, {started("s")})});
  Collector collector(add_ring(engine, {"t"}));
  engine.run_offline(4800);
  StartedFilter::may_start[0] = false;
  engine.apply({source}, {track("t", {{"a"}}, 1, {started("s"), lagging("l", 100)})});
  engine.run_offline(kRate);
  CHECK_FALSE(engine.plan()->tracks[0].chain.lines->heard());
  // Another chain takes the place of the one that waits.
  engine.apply({source}, {track("t", {{"a"}}, 1, {lagging("l", 100), started("s")})});
  engine.run_offline(kRate);
  CHECK_FALSE(engine.plan()->tracks[0].chain.lines->heard());
  StartedFilter::may_start[0] = true;
  engine.run_offline(kRate / 2);
  CHECK(engine.plan()->tracks[0].chain.lines->entered());
  engine.finish_offline();
  collector.join();
  const std::vector<float>& samples = collector.tracks[0];
  for (std::size_t i = 0; i < samples.size(); ++i)
    REQUIRE(number_of(samples[i]) == 2 * static_cast<Frames>(i));
  CHECK(incidents_of(engine).empty());
}

TEST_CASE("a filter that never starts holds up a new chain for half a minute") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920, 960}, started_filters(), clock);
  const SourceSpec source{"a", synthetic(numbered())};
  engine.apply({source}, {track("t", {{"a"}}, 1)});
  engine.run_offline(480);
  StartedFilter::may_start[0] = false;
  engine.apply({source}, {track("t", {{"a"}}, 1, {started("s")})});
  engine.run_offline(Frames{30} * kRate);
  CHECK_FALSE(engine.plan()->tracks[0].chain.lines->heard());
  engine.run_offline(kRate);
  CHECK(engine.plan()->tracks[0].chain.lines->entered());
  engine.finish_offline();
  StartedFilter::may_start[0] = true;
}

TEST_CASE("what a filter had no time for is not listed where the track was muted, nor twice") {
  ManualClock clock;
  Engine engine({kRate, 480, 1920}, started_filters(), clock);
  engine.apply({{"a", synthetic(numbered())}},
               {track("t", {{"a"}}, 1, {started("first", 0), started("second", 1)})});
  engine.run_offline(4800);
  const auto late = [&](bool first, bool second) {
    StartedFilter::is_late[0] = first;
    StartedFilter::is_late[1] = second;
    engine.run_offline(4800);
  };
  late(true, true);
  late(false, true);
  late(false, false);
  engine.set_track_muted("t", true);
  engine.run_offline(480);  // to fade out
  late(true, true);
  engine.set_track_muted("t", false);
  late(false, false);
  engine.finish_offline();
  const auto incidents = incidents_of(engine);
  REQUIRE(incidents.size() == 2);
  CHECK(incidents[0].cause == Cause::filter_late);
  // From where the first filter stands to where the second one does.
  CHECK(incidents[0].begin == 4800 + 960 - 480);
  CHECK(incidents[0].begin + incidents[0].frames == 14'400 + 960 - 960);
  CHECK(incidents[1].cause == Cause::track_muted);
  CHECK(incidents[1].begin == 19'200 + 480);
  CHECK(incidents[1].frames == 4800);
}
