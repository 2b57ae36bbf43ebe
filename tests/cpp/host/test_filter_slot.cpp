// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "allocation_counter.hpp"
#include "core/status.hpp"
#include "core/thread_role.hpp"
#include "filters/gain.hpp"
#include "host/filter_slot.hpp"
#include "lagging_filter.hpp"

using namespace pypac;

namespace {

constexpr std::uint32_t kBlock = 480;
constexpr SlotOptions kMono{48000, 1, kBlock};

/// Runs a signal of ones through a slot, block by block.
std::vector<float> play(FilterSlot& slot, int blocks, bool leaving = false, float value = 1) {
  const ScopedThreadRole role(ThreadRole::pump);
  std::vector<float> all;
  for (int i = 0; i < blocks; ++i) {
    std::vector<float> block(kBlock, value);
    float* channel = block.data();
    const std::size_t before = test::allocations();
    slot.process({&channel, 1, kBlock}, {}, i * Frames{kBlock}, leaving);
    CHECK(test::allocations() == before);
    all.insert(all.end(), block.begin(), block.end());
  }
  return all;
}

float largest_step(const std::vector<float>& samples) {
  float step = 0;
  for (std::size_t i = 1; i < samples.size(); ++i)
    step = std::max(step, std::fabs(samples[i] - samples[i - 1]));
  return step;
}

ParamValues gain(double gain_db) {
  return {{"gain_db", gain_db}};
}

/// Gives what no filter may give, for as long as it is told to.
class Faulty final : public Filter {
 public:
  [[nodiscard]] const PluginInfo& info() const noexcept override {
    static const PluginInfo faulty{
        .kind = "faulty",
        .params = {{.id = "fault", .type = ParamType::boolean, .fallback = false}}};
    return faulty;
  }
  void activate(const Activation&) override {}
  void process(const ProcessContext& context) noexcept override {
    for (const ParamChange& change : context.changes) fault_ = change.value != 0;
    if (fault_) sick_ = true;
    if (!sick_) return;
    context.audio.channels[0][3] = std::numeric_limits<float>::quiet_NaN();
    context.audio.channels[0][4] = -std::numeric_limits<float>::infinity();
  }
  void reset() noexcept override { sick_ = false; }

 private:
  bool fault_ = false;
  bool sick_ = false;  // until it is reset
};

}  // namespace

TEST_CASE("a filter is faded in, bypassed and out without a step") {
  FilterSlot slot("g", std::make_unique<Gain>(), kMono, gain(-20), false, false);
  std::vector<float> all = play(slot, 3);
  CHECK(all.back() == doctest::Approx(0.1));
  slot.set_bypassed(true);
  for (const float sample : play(slot, 3)) all.push_back(sample);
  CHECK(all.back() == 1.0F);
  slot.set_bypassed(false);
  for (const float sample : play(slot, 3)) all.push_back(sample);
  CHECK(all.back() == doctest::Approx(0.1));
  CHECK_FALSE(slot.gone());
  for (const float sample : play(slot, 3, true)) all.push_back(sample);
  CHECK(all.back() == 1.0F);
  CHECK(slot.gone());
  CHECK(largest_step(all) < 1.0F / 400);
}

TEST_CASE("a filter that is there from the beginning is heard from its first frame") {
  FilterSlot slot("g", std::make_unique<Gain>(), kMono, gain(-20), false, true);
  CHECK(play(slot, 1).front() == doctest::Approx(0.1));
  slot.set(0, 0.0);
  CHECK(play(slot, 2).back() == 1.0F);
  CHECK(std::get<double>(slot.values()[0]) == 0.0);
}

TEST_CASE("what is set before the first block is there from the first frame") {
  for (const bool bypassed : {false, true}) {
    FilterSlot slot("g", std::make_unique<Gain>(), kMono, gain(0), bypassed, true);
    slot.set(0, -20.0);
    slot.set_bypassed(!bypassed);
    const std::vector<float> all = play(slot, 2);
    CHECK(all.front() == doctest::Approx(bypassed ? 0.1 : 1.0));
    CHECK(largest_step(all) == 0);
  }
}

TEST_CASE("what goes by a filter is as late as what goes through it") {
  const auto at = [](const std::vector<float>& samples) {
    return std::ranges::find_if(samples, [](float one) { return one != 0; }) - samples.begin();
  };
  for (const bool bypassed : {false, true}) {
    FilterSlot slot("l", std::make_unique<test::LaggingFilter>(), kMono, {{"lag_frames", 700.0}},
                    bypassed, true);
    CHECK(slot.latency_frames() == 700);
    CHECK(at(play(slot, 3)) == 700);
  }
  // Over the change nothing moves: both ways give ones all the time.
  FilterSlot slot("l", std::make_unique<test::LaggingFilter>(), kMono, {{"lag_frames", 700.0}},
                  true, true);
  play(slot, 3);
  slot.set_bypassed(false);
  for (const float sample : play(slot, 6)) REQUIRE(sample == 1.0F);
}

TEST_CASE("what is no number is silence, and the filter begins anew") {
  FilterSlot slot("f", std::make_unique<Faulty>(), kMono, {}, false, true);
  CHECK(play(slot, 1).back() == 1);
  slot.set(0, true);
  const std::vector<float> block = play(slot, 1);
  CHECK(block[2] == 1);
  CHECK(block[3] == 0);
  CHECK(block[4] == 0);
  CHECK(slot.faults() == 1);
  slot.set(0, false);
  CHECK(play(slot, 1)[3] == 1);
  CHECK(slot.faults() == 1);
}

TEST_CASE("values that cannot be are refused before the filter is there") {
  CHECK_THROWS_AS(FilterSlot("g", std::make_unique<Gain>(), kMono, gain(41), false, true), Failure);
  CHECK_THROWS_AS(FilterSlot("g", std::make_unique<Gain>(), kMono, {}, false, true), Failure);
}
