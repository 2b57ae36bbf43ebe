// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "filters/builtin_filters.hpp"
#include "lagging_filter.hpp"
#include "running_engine.hpp"

using namespace pypac;
using namespace pypac::test;

namespace {

std::atomic<std::size_t> largest_bank{0};

/// Halves, and tells how many did so at once.
class CountedFilter final : public Filter {
 public:
  [[nodiscard]] const PluginInfo& info() const noexcept override {
    static const PluginInfo counted{.kind = "counted"};
    return counted;
  }
  void activate(const Activation& /*activation*/) override {}
  void process(const ProcessContext& context) noexcept override {
    for (std::uint32_t c = 0; c < context.audio.channel_count; ++c)
      for (std::uint32_t i = 0; i < context.audio.frames; ++i) context.audio.channels[c][i] *= 0.5F;
  }
  void process_bank(std::span<Filter* const> bank,
                    std::span<const ProcessContext> contexts) noexcept override {
    largest_bank = std::max(largest_bank.load(), bank.size());
    Filter::process_bank(bank, contexts);
  }
};

const FilterRegistry& filters() {
  static const FilterRegistry registry = [] {
    FilterRegistry all;
    add_builtin_filters(all);
    all.add([] { return std::make_unique<LaggingFilter>(); });
    all.add([] { return std::make_unique<CountedFilter>(); });
    return all;
  }();
  return registry;
}

constexpr std::size_t kTracks = 11;

std::string name(std::size_t track) {
  return "t" + std::to_string(track);
}

/// Chains of all kinds of shapes; a third of the tracks have a key that stands before or behind.
std::vector<TrackSpec> random_tracks(std::mt19937& random) {
  const auto any = [&](int below) {
    return std::uniform_int_distribution<int>(0, below - 1)(random);
  };
  std::vector<TrackSpec> tracks;
  for (std::size_t i = 0; i < kTracks; ++i) {
    std::vector<FilterSpec> chain;
    if (any(4) > 0)
      chain.push_back({"low", "high_pass", {{"slope_db", std::string(any(2) ? "12" : "48")}}});
    if (any(3) == 0 && i > 0)
      chain.push_back(
          {"key", "lagging", {{"key", name(static_cast<std::size_t>(any(static_cast<int>(i))))}}});
    if (any(4) > 0)
      chain.push_back({"eq",
                       "eq",
                       {{"band1_type", std::string("peak")},
                        {"band1_db", 6.0 - any(12)},
                        {"band5_type", std::string(any(2) ? "notch" : "off")}}});
    if (any(4) > 0) chain.push_back({"half", "counted", {}, any(3) == 0});
    if (any(4) == 0) chain.push_back({"lag", "lagging", {{"lag_frames", 300.0}}});
    if (any(2) == 0 && !chain.empty()) std::swap(chain.front(), chain.back());
    tracks.push_back(track(name(i), {{name(i)}, {name((i + 1) % kTracks), -12}},
                           1 + static_cast<std::uint32_t>(i % 3), std::move(chain)));
    if (any(5) == 0) tracks.back().muted = true;
  }
  return tracks;
}

std::vector<std::vector<float>> run(unsigned seed, std::uint32_t tracks_at_once) {
  std::mt19937 random(seed);
  ManualClock clock;
  EngineOptions options{kRate, 480, 1920};
  options.headroom_frames = 1920;
  options.tracks_at_once = tracks_at_once;
  Engine engine(options, filters(), clock);
  std::vector<SourceSpec> sources;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kTracks; ++i) {
    SyntheticSignal signal;
    signal.kind = SyntheticSignal::Kind::noise;
    signal.seed = static_cast<std::uint32_t>(i);
    sources.push_back({name(i), synthetic(signal)});
    names.push_back(name(i));
  }
  engine.apply(sources, random_tracks(random));
  Collector collector(add_ring(engine, names));
  for (int round = 0; round < 6; ++round) {
    for (int step = 0; step < 4; ++step) {
      engine.run_offline(1 + static_cast<Frames>(random() % 3000));
      const auto plan = engine.plan();
      const Plan::Track& track = plan->tracks[random() % plan->tracks.size()];
      for (const TrackChain::Link& link : track.chain.links) {
        if (link.leaving) continue;
        if (random() % 2)
          engine.set_filter_bypassed(track.node->id(), link.slot->id(), random() % 2 == 0);
        if (link.slot->id() == "eq")
          engine.set_filter(track.node->id(), "eq", "band1_db", double(random() % 12));
      }
      engine.set_track_muted(track.node->id(), random() % 4 == 0);
    }
    engine.collect();
    std::vector<TrackSpec> next = random_tracks(random);
    if (round % 2) engine.apply(sources, std::move(next));
  }
  engine.run_offline(24000);
  engine.finish_offline();
  collector.join();
  return collector.tracks;
}

}  // namespace

TEST_CASE("tracks side by side sound as each alone, bit for bit, whatever changes meanwhile") {
  for (unsigned seed = 0; seed < 12; ++seed) {
    CAPTURE(seed);
    largest_bank = 0;
    const auto alone = run(seed, 1);
    CHECK(largest_bank == 0);
    const auto banked = run(seed, 8);
    CHECK(largest_bank >= 2);
    REQUIRE(alone.size() == kTracks);
    for (std::size_t i = 0; i < kTracks; ++i) {
      CAPTURE(i);
      REQUIRE(alone[i].size() == banked[i].size());
      const auto differs = std::ranges::mismatch(alone[i], banked[i], [](float a, float b) {
        return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
      });
      CHECK(differs.in1 - alone[i].begin() == static_cast<std::ptrdiff_t>(alone[i].size()));
    }
  }
}
