// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numbers>
#include <optional>
#include <vector>

#include "allocation_counter.hpp"
#include "core/thread_role.hpp"
#include "duplicated_handle.hpp"
#include "host/filter_slot.hpp"
#include "host/lane.hpp"

using namespace pypac;

namespace {

constexpr std::uint32_t kRate = 48000;
constexpr std::uint32_t kBlock = 480;
constexpr std::uint32_t kLatency = 1440;

/// A filter that doubles what it gets, in the same process, when it is told to.
struct Doubling {
  std::shared_ptr<Lane> lane;
  std::unique_ptr<FilterSlot> slot;
  std::optional<LaneEnd> end;
  std::vector<float> in;
  std::vector<float> out;
  std::uint32_t late = 0;
  std::uint32_t own;
  std::vector<float> kept;  // what it has not given back yet

  explicit Doubling(std::uint32_t own_latency = 0) : own(own_latency), kept(own_latency) {
    auto info = std::make_shared<PluginInfo>();
    info->kind = "double";
    info->params = {{.id = "gain", .max = 10, .fallback = 2.0}};
    slot = std::make_unique<FilterSlot>(
        "double",
        std::make_unique<LaneFilter>(
            info, [this](std::shared_ptr<Lane> made) { lane = made; }, own_latency),
        SlotOptions{kRate, 1, kBlock}, ParamValues{}, false, true);
  }

  void attach() { end.emplace(test::duplicated(lane->memory().handle()), lane->memory().size()); }

  void play(int blocks, bool works) {
    for (int i = 0; i < blocks; ++i) {
      std::vector<float> block(kBlock);
      for (float& sample : block) {
        sample = static_cast<float>(
            0.25 * std::sin(2 * std::numbers::pi * 100 * static_cast<double>(in.size()) / kRate));
        in.push_back(sample);
      }
      float* channel = block.data();
      {
        const ScopedThreadRole role(ThreadRole::pump);
        const std::size_t before = test::allocations();
        slot->process({&channel, 1, kBlock}, {}, 0, false);
        CHECK(test::allocations() == before);
      }
      late += slot->late_frames();
      out.insert(out.end(), block.begin(), block.end());
      if (works) work();
    }
  }

  void work() {
    while (const std::uint32_t frames = end->wait(HostTime(0))) {
      std::vector<float> samples(frames);
      end->take(samples.data(), frames);
      if (end->take_reset()) ++resets;
      const auto gain = static_cast<float>(end->header().values[0].load());
      for (float& sample : samples) sample *= gain;
      kept.insert(kept.end(), samples.begin(), samples.end());
      samples.assign(kept.begin(), kept.begin() + frames);
      kept.erase(kept.begin(), kept.begin() + frames);
      end->give(samples.data(), frames);
    }
  }

  int resets = 0;

  [[nodiscard]] bool is(std::size_t from, std::size_t to, float gain) const {
    for (std::size_t i = from; i < to; ++i)
      if (out[i] != gain * in[i - slot->latency_frames()]) return false;
    return true;
  }
  [[nodiscard]] float largest_step() const {
    float step = 0;
    for (std::size_t i = 1; i < out.size(); ++i)
      step = std::max(step, std::fabs(out[i] - out[i - 1]));
    return step;
  }
};

}  // namespace

TEST_CASE("a lane gives back what the other end made of it, a constant time later") {
  Doubling doubling;
  CHECK(doubling.slot->latency_frames() == kLatency);
  doubling.attach();
  doubling.play(100, true);
  CHECK(std::all_of(doubling.out.begin(), doubling.out.begin() + kLatency,
                    [](float sample) { return sample == 0; }));
  CHECK(doubling.is(kLatency, doubling.out.size(), 2));
  CHECK(doubling.late == 0);
  CHECK(doubling.resets == 0);
}

TEST_CASE("what the other end looks ahead for is no shift of what goes by it") {
  for (const std::uint32_t own : {1U, 240U, 480U, 2000U}) {
    CAPTURE(own);
    Doubling doubling(own);
    const std::uint32_t latency = doubling.slot->latency_frames();
    CHECK(latency == (kLatency + own + kBlock - 1) / kBlock * kBlock);
    doubling.attach();
    doubling.play(20, true);
    CHECK(doubling.is(latency, doubling.out.size(), 2));
    CHECK(doubling.late == 0);
    const std::size_t hung = doubling.out.size();
    doubling.play(20, false);
    CHECK(doubling.is(hung + latency, doubling.out.size(), 1));
    doubling.work();
    const std::size_t back = doubling.out.size();
    doubling.play(20, true);
    CHECK(doubling.is(back + kBlock, doubling.out.size(), 2));
    const double tone = 0.5 * 2 * std::numbers::pi * 100 / kRate;
    CHECK(doubling.largest_step() < tone * 1.2);
  }
}

TEST_CASE("a parameter reaches the other end") {
  Doubling doubling;
  doubling.attach();
  doubling.play(10, true);
  doubling.slot->set(0, 4.0);
  doubling.play(10, true);
  CHECK(doubling.is(kLatency, 10 * kBlock + kLatency, 2));
  CHECK(doubling.is(10 * kBlock + kLatency, doubling.out.size(), 4));
}

TEST_CASE("what is not in time goes by it, without a click, and is counted") {
  Doubling doubling;
  doubling.attach();
  doubling.play(20, true);
  doubling.play(20, false);  // it hangs
  const std::size_t hung = 20 * kBlock;
  // What it had done is still heard; then a fade to what goes by it.
  CHECK(doubling.is(kLatency, hung + kBlock, 2));
  CHECK(doubling.is(hung + 2 * kBlock + kBlock, doubling.out.size(), 1));
  CHECK(doubling.late == 18 * kBlock);
  CHECK(doubling.lane->late_frames() == doubling.late);
  const std::size_t back = doubling.out.size();
  doubling.work();  // and is back, with all that it missed
  doubling.play(20, true);
  CHECK(doubling.late == 18 * kBlock);
  CHECK(doubling.is(back + kBlock, doubling.out.size(), 2));
  // Twice 0.25 at 100 Hz, and a fade over 10 ms of at most 0.25.
  const double tone = 0.5 * 2 * std::numbers::pi * 100 / kRate;
  CHECK(doubling.largest_step() < tone * 1.2);
}

TEST_CASE("without a process a lane is a delay, and one that comes goes on from there") {
  Doubling doubling;
  doubling.play(20, false);
  CHECK(doubling.is(kLatency, doubling.out.size(), 1));
  CHECK(doubling.late == 17 * kBlock);
  doubling.attach();
  doubling.play(20, true);
  CHECK(doubling.is(kLatency, 22 * kBlock, 1));
  CHECK(doubling.is(25 * kBlock, doubling.out.size(), 2));
  doubling.end.reset();
  doubling.play(10, false);
  doubling.attach();  // another one, after a crash
  const std::uint32_t late = doubling.late;
  doubling.play(20, true);
  CHECK(doubling.is(doubling.out.size() - 10 * kBlock, doubling.out.size(), 2));
  CHECK(doubling.late - late < 5 * kBlock);
}

TEST_CASE("one that was hung for a second goes on with the newest") {
  Doubling doubling;
  doubling.attach();
  doubling.play(10, true);
  doubling.play(150, false);
  doubling.play(20, true);
  CHECK(doubling.resets == 1);
  CHECK(doubling.is(doubling.out.size() - 10 * kBlock, doubling.out.size(), 2));
}

TEST_CASE("after a break nothing of what was before is heard") {
  Doubling doubling;
  doubling.attach();
  doubling.play(10, true);
  doubling.slot->set_bypassed(true);
  doubling.play(10, true);
  CHECK(doubling.is(12 * kBlock, doubling.out.size(), 1));
  doubling.slot->set_bypassed(false);
  doubling.play(10, true);
  CHECK(doubling.resets == 1);
  CHECK(doubling.is(26 * kBlock, doubling.out.size(), 2));
  CHECK(doubling.late == 0);
}

TEST_CASE("what the other end writes at random harms nobody") {
  Doubling doubling;
  doubling.attach();
  doubling.play(10, true);
  lane::Header& header = doubling.lane->header();
  header.done.store(std::numeric_limits<std::int64_t>::max());
  header.first.store(std::numeric_limits<std::int64_t>::min());
  header.layout = {77, 3};
  header.closed = 1;
  header.resets = 77;
  doubling.play(10, false);
  doubling.slot->set_bypassed(true);
  doubling.play(5, false);
  doubling.slot->set_bypassed(false);
  doubling.play(5, false);
  CHECK(header.resets == 1);  // counted where nobody else writes
  CHECK(std::all_of(doubling.out.begin(), doubling.out.end(),
                    [](float sample) { return std::fabs(sample) <= 0.6F; }));
  CHECK_FALSE(doubling.lane->closed());
}

TEST_CASE("a lane is closed when its filter goes") {
  Doubling doubling;
  CHECK_FALSE(doubling.lane->closed());
  doubling.slot.reset();
  CHECK(doubling.lane->closed());
}
