// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "allocation_counter.hpp"
#include "filters/builtin_filters.hpp"

using namespace pypac;

namespace {

constexpr std::uint32_t kFrames = 480;

struct Kind {
  std::string kind;
  ParamValues values{};
};

/// A filter and its block, in as many channels as wanted.
struct Track {
  Track(const Kind& kind, std::uint32_t channel_count)
      : filter(builtin_filters().create(kind.kind)), samples(channel_count * kFrames) {
    const PluginInfo& info = filter->info();
    std::vector<double> numbers;
    const std::vector<ParamValue> values = all_values(info, kind.values);
    for (std::size_t i = 0; i < values.size(); ++i)
      numbers.push_back(as_number(info.params[i], values[i]));
    filter->activate({48000, channel_count, kFrames, numbers});
    for (std::uint32_t c = 0; c < channel_count; ++c)
      channels.push_back(samples.data() + c * kFrames);
  }
  void process(float value, std::span<const ParamChange> changes = {}) {
    std::ranges::fill(samples, value);
    const auto count = static_cast<std::uint32_t>(channels.size());
    filter->process({{channels.data(), count, kFrames}, {}, changes, 0});
  }
  [[nodiscard]] float loudest() const {
    float most = 0;
    for (const float sample : samples) most = std::max(most, std::fabs(sample));
    return most;
  }

  std::unique_ptr<Filter> filter;
  std::vector<float> samples;
  std::vector<float*> channels;
};

const std::array<Kind, 8> kKinds{{{"channel_map"},
                                  {"delay", {{"delay_ms", 25.0}}},
                                  {"delay", {{"delay_ms", -25.0}}},
                                  {"invert"},
                                  {"limiter"},
                                  {"mono"},
                                  {"pan", {{"pan", 0.5}}},
                                  {"width", {{"width", 0.5}}}}};

}  // namespace

TEST_CASE("tools sound no longer than their tail says, in any number of channels") {
  for (const Kind& kind : kKinds)
    for (std::uint32_t channels = 1; channels <= 8; ++channels) {
      Track track(kind, channels);
      for (int block = 0; block < 5; ++block) track.process(0.5F);
      CHECK(track.loudest() > 0.1F);
      const std::uint32_t tail = track.filter->tail_frames();
      std::uint32_t silent = 0;
      for (; silent < tail; silent += kFrames) track.process(0);
      track.process(0);
      CHECK(track.loudest() == 0);
      if (tail > 0) {
        // Nor shorter.
        Track again(kind, channels);
        for (int block = 0; block < 5; ++block) again.process(0.5F);
        for (std::uint32_t frame = 0; frame + kFrames < tail; frame += kFrames) again.process(0);
        again.process(0);
        CHECK(std::fabs(again.channels[0][(tail - 1) % kFrames]) > 0.1F);
        CHECK(again.channels[0][tail % kFrames] == 0);
      }
    }
}

TEST_CASE("tools allocate nothing while they process, not even at a change or a reset") {
  for (const Kind& kind : kKinds) {
    Track track(kind, 2);
    const PluginInfo& info = track.filter->info();
    track.process(0.5F);
    const std::size_t before = test::allocations();
    for (std::size_t i = 0; i < info.params.size(); ++i) {
      if (!info.params[i].live) continue;
      const ParamChange change{i, info.params[i].choices.empty() ? info.params[i].max : 1.0};
      track.process(0.5F, {&change, 1});
      track.process(0.5F);
    }
    track.filter->reset();
    track.process(0.5F);
    CHECK(test::allocations() == before);
  }
}
