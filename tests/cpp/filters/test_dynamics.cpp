// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "allocation_counter.hpp"
#include "core/thread_role.hpp"
#include "filters/builtin_filters.hpp"
#include "host/block_buffer.hpp"

using namespace pypac;

namespace {

constexpr std::uint32_t kRate = 48000;
constexpr std::uint32_t kFrames = 4800;
constexpr std::size_t kTracks = 11;  // more than one group of lanes, and a rest

struct Kind {
  std::string kind;
  std::vector<ParamValues> values;  // taken in turn
  std::vector<std::string> changes;
};

const std::vector<Kind> kKinds{
    {"compressor",
     {{},
      {{"detector", "rms"}, {"knee_db", 12.0}},
      {{"look_ahead_ms", 3.0}, {"key_low_hz", 200.0}},
      {{"attack_ms", 500.0}, {"release_ms", 5.0}, {"mix", 0.5}}},
     {"threshold_db", "ratio"}},
    {"de_esser", {{}, {{"mode", "wide"}}, {{"frequency_hz", 3000.0}}}, {"threshold_db"}},
    {"duck", {{{"key", "voice"}}, {{"key", "voice"}, {"look_ahead_ms", 5.0}}}, {"range_db"}},
    {"expander", {{}, {{"detector", "peak"}, {"knee_db", 6.0}}}, {"threshold_db"}},
    {"gate", {{}, {{"look_ahead_ms", 5.0}}, {{"range_db", -20.0}, {"hold_ms", 1.0}}}, {"range_db"}},
    {"upward_compressor", {{}, {{"ratio", 0.1}}}, {"threshold_db"}},
};

struct Track {
  std::unique_ptr<Filter> filter;
  BlockBuffer audio{2, kFrames};
  BlockBuffer key{2, kFrames};
  bool keyed = false;
};

/// Bursts of noise, each track its own.
void fill(BlockBuffer& block, unsigned seed) {
  std::mt19937 random(seed);
  for (std::uint32_t c = 0; c < block.channel_count(); ++c)
    for (std::uint32_t i = 0; i < kFrames; ++i) {
      const float noise = static_cast<float>(random()) / 4294967296.0F - 0.5F;
      block.channels()[c][i] = (i / 600 + seed) % 2 == 0 ? noise : noise * 0.01F;
    }
}

std::vector<std::unique_ptr<Track>> tracks_of(const Kind& kind) {
  std::vector<std::unique_ptr<Track>> tracks;
  for (std::size_t t = 0; t < kTracks; ++t) {
    auto track = std::make_unique<Track>();
    track->filter = builtin_filters().create(kind.kind);
    const PluginInfo& info = track->filter->info();
    const std::vector<ParamValue> values = all_values(info, kind.values[t % kind.values.size()]);
    std::vector<double> numbers;
    for (std::size_t p = 0; p < values.size(); ++p)
      numbers.push_back(as_number(info.params[p], values[p]));
    track->filter->activate({kRate, 2, kFrames, numbers});
    track->keyed = kind.kind == "duck" || t % 3 == 1;
    fill(track->audio, static_cast<unsigned>(t));
    fill(track->key, static_cast<unsigned>(t + 1));
    tracks.push_back(std::move(track));
  }
  return tracks;
}

/// The whole signal; in its middle parameters change.
std::vector<float> run(const Kind& kind, std::uint32_t block, bool as_bank) {
  const ScopedThreadRole role(ThreadRole::pump);
  auto tracks = tracks_of(kind);
  std::vector<ParamChange> changes;
  for (const std::string& id : kind.changes)
    changes.push_back({param_index(tracks[0]->filter->info(), id), id == "ratio" ? 2.0 : -30.0});
  for (std::uint32_t at = 0; at < kFrames; at += block) {
    const std::uint32_t some = std::min(block, kFrames - at);
    std::vector<std::vector<float*>> pointers(2 * kTracks);
    std::vector<BlockView> keys;
    std::vector<ProcessContext> contexts;
    std::vector<Filter*> bank;
    for (std::size_t t = 0; t < kTracks; ++t) {
      for (std::uint32_t c = 0; c < 2; ++c) {
        pointers[2 * t].push_back(tracks[t]->audio.channels()[c] + at);
        pointers[2 * t + 1].push_back(tracks[t]->key.channels()[c] + at);
      }
      keys.emplace_back(pointers[2 * t + 1].data(), 2);
      bank.push_back(tracks[t]->filter.get());
    }
    for (std::size_t t = 0; t < kTracks; ++t)
      contexts.push_back({{pointers[2 * t].data(), 2, some},
                          std::span(keys).subspan(t, tracks[t]->keyed ? 1 : 0),
                          at == kFrames / 2 ? std::span<const ParamChange>(changes)
                                            : std::span<const ParamChange>(),
                          at});
    const std::size_t before = test::allocations();
    if (as_bank)
      bank[0]->process_bank(bank, contexts);
    else
      for (std::size_t t = 0; t < kTracks; ++t) bank[t]->process(contexts[t]);
    CHECK(test::allocations() == before);
  }
  std::vector<float> all;
  for (const auto& track : tracks)
    for (std::uint32_t c = 0; c < 2; ++c)
      all.insert(all.end(), track->audio.channels()[c], track->audio.channels()[c] + kFrames);
  for (const auto& track : tracks) all.push_back(track->filter->reduction_db());
  return all;
}

/// Without the reductions, which are those of the last block.
std::vector<float> samples_of(std::vector<float> all) {
  all.resize(all.size() - kTracks);
  return all;
}

}  // namespace

TEST_CASE("tracks side by side give the bits that each gives alone") {
  for (const Kind& kind : kKinds) {
    CAPTURE(kind.kind);
    for (const std::uint32_t block : {96U, 480U})
      CHECK(run(kind, block, true) == run(kind, block, false));
  }
}

TEST_CASE("dynamics give the same bits in blocks of any length, while parameters change too") {
  for (const Kind& kind : kKinds) {
    CAPTURE(kind.kind);
    const std::vector<float> whole = samples_of(run(kind, 2400, true));
    for (const std::uint32_t block : {1U, 75U, 96U, 480U})
      CHECK(samples_of(run(kind, block, block != 96)) == whole);
  }
}

TEST_CASE("what was reset knows nothing of before") {
  const ScopedThreadRole role(ThreadRole::pump);
  for (const Kind& kind : kKinds) {
    CAPTURE(kind.kind);
    auto fresh = tracks_of(kind);
    auto used = tracks_of(kind);
    for (std::size_t t = 0; t < kTracks; ++t) {
      const BlockView key = used[t]->key.view();
      const std::span keys(&key, used[t]->keyed ? 1 : 0);
      fresh[t]->filter->reset();  // a gate is open behind a break, and not at the start
      used[t]->filter->process({used[t]->audio.block(kFrames), keys, {}, 0});
      used[t]->filter->reset();
      CHECK(used[t]->filter->reduction_db() == 0);
      fill(used[t]->audio, static_cast<unsigned>(t));
      used[t]->filter->process({used[t]->audio.block(kFrames), keys, {}, 0});
      fresh[t]->filter->process({fresh[t]->audio.block(kFrames), keys, {}, 0});
      for (std::uint32_t c = 0; c < 2; ++c)
        CHECK(std::equal(used[t]->audio.channels()[c], used[t]->audio.channels()[c] + kFrames,
                         fresh[t]->audio.channels()[c]));
    }
  }
}
