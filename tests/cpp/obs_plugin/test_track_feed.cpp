// SPDX-License-Identifier: GPL-2.0-or-later
#include <doctest/doctest.h>

#include <cstdlib>

#include "counting_writer.hpp"
#include "fake_libobs.hpp"
#include "obs_plugin/track_feed.hpp"
#include "runtime_folder.hpp"

using namespace pypac;
using namespace pypac::test;
using namespace std::chrono_literals;
using obs_plugin::DelayHistogram;
using State = SharedTrackState;

namespace {

constexpr HostTime kOrigin = 5s;
constexpr HostTime kBlockTime = 10ms;

/// A writer, and a feed that is delivered by hand on a clock that stands still.
struct Rig {
  RuntimeFolder folder;
  ManualClock clock{3s};
  fake_obs::Bare bare;
  obs_plugin::AudioRounds rounds{clock};
  std::unique_ptr<obs_plugin::TrackFeed> feed =
      std::make_unique<obs_plugin::TrackFeed>(bare.get(), "stream", "game");

  Rig() {
    // A new source is left alone for a moment.
    CHECK(deliver() == clock.now() + 100ms);
    clock.advance(1s);
  }

  HostTime deliver(HostTime later = 0ms) {
    clock.advance(later);
    const HostTime next = feed->deliver(clock.now(), rounds);
    // Nobody asks in the second pass, so that OBS is heard anew the next time.
    rounds.end_pass();
    rounds.end_pass();
    return next;
  }

  /// What OBS got, but for the frame in the future that makes it place what follows by its stamp.
  [[nodiscard]] std::vector<fake_obs::Output> outputs() const {
    std::vector<fake_obs::Output> outputs;
    for (auto& one : bare.outputs())
      if (one.frames != 1) outputs.push_back(std::move(one));
    return outputs;
  }

  /// Moves to when block n of a session from kOrigin on is written, and writes it.
  void write(CountingWriter& writer) {
    clock.sleep_until(due(writer.next()));
    writer.block();
  }
  static HostTime due(Frames start) {
    return TimelineAnchor{kOrigin, 48000}.host_time_of(start + 2 * CountingWriter::kBlock);
  }
};

}  // namespace

TEST_CASE("a feed hands each frame over once, with the host time that it has on the timeline") {
  Rig rig;
  CountingWriter writer("stream", {"game"}, rig.clock);
  CHECK(rig.deliver() == rig.clock.now() + 3ms);
  CHECK(rig.feed->state() == State::starting);
  writer.start(kOrigin);
  for (int i = 0; i < 5; ++i) {
    rig.write(writer);
    const HostTime next = rig.deliver(1ms);
    // Soon after the next block is due, not before.
    CHECK(next > Rig::due(writer.next()));
    CHECK(next <= Rig::due(writer.next()) + 1ms);
  }
  const auto outputs = rig.outputs();
  REQUIRE(outputs.size() == 5);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    CHECK(outputs[i].timestamp == static_cast<std::uint64_t>((kOrigin + i * kBlockTime).count()));
    CHECK(outputs[i].frames == 480);
    CHECK(outputs[i].sample_rate == 48000);
    CHECK(outputs[i].speakers == SPEAKERS_STEREO);
    CHECK(outputs[i].channels[0][7] == static_cast<float>(480 * i + 7));
    CHECK(outputs[i].channels[1][7] == -static_cast<float>(480 * i + 7));
  }
  CHECK(rig.feed->delivered() == 5 * 480);
  CHECK(rig.feed->lost() == 0);
  CHECK(rig.feed->delays().quantile(0.5) == 1500us);
}

TEST_CASE("a feed that comes to a running session begins with its newest block") {
  Rig rig;
  CountingWriter writer("stream", {"game"}, rig.clock);
  writer.start(kOrigin);
  for (int i = 0; i < 20; ++i) rig.write(writer);
  static_cast<void>(rig.deliver());
  const auto outputs = rig.outputs();
  REQUIRE(outputs.size() == 1);
  CHECK(outputs[0].channels[0][0] == 19 * 480);
  CHECK(rig.feed->lost() == 0);
}

TEST_CASE("a feed never hands over what is stale") {
  Rig rig;
  CountingWriter writer("stream", {"game"}, rig.clock);
  writer.start(kOrigin);
  rig.write(writer);
  static_cast<void>(rig.deliver());
  static_cast<void>(rig.deliver());
  CHECK(rig.feed->delivered() > 0);
  const auto before = rig.feed->delivered();
  for (int i = 0; i < 10; ++i) rig.write(writer);
  rig.clock.advance(700ms);
  static_cast<void>(rig.deliver());
  CHECK(rig.feed->delivered() == before);
  CHECK(rig.feed->lost() == 10 * 480);

  // The session has crashed, with frames that nobody has read.
  writer.block();
  rig.clock.advance(2s);
  CHECK(rig.deliver() == rig.clock.now() + 200ms);
  CHECK(rig.feed->state() == State::gone);
  CHECK(rig.feed->delivered() == before);
}

TEST_CASE("a feed that was overrun goes on where the writer is, and counts what it lost") {
  Rig rig;
  CountingWriter writer("stream", {"game"}, rig.clock, 4800);
  writer.start(kOrigin);
  rig.write(writer);
  static_cast<void>(rig.deliver());
  for (int i = 1; i < 30; ++i) rig.write(writer);
  static_cast<void>(rig.deliver());
  const auto outputs = rig.outputs();
  REQUIRE(outputs.size() == 2);
  CHECK(outputs[1].channels[0][0] == 29 * 480);
  CHECK(outputs[1].timestamp == static_cast<std::uint64_t>((kOrigin + 29 * kBlockTime).count()));
  CHECK(rig.feed->lost() == 28 * 480);
}

TEST_CASE("a feed fills a hole so short that OBS would close it") {
  Rig rig;
  CountingWriter writer("stream", {"game"}, rig.clock);
  writer.start(kOrigin);
  rig.write(writer);
  static_cast<void>(rig.deliver());
  for (int i = 1; i < 6; ++i) writer.block();
  // Only the first of what it reads at once is too late by now.
  const Frames too_late = 480 + obs_plugin::TrackFeed::kFramesAtOnce;
  rig.clock.sleep_until(TimelineAnchor{kOrigin, 48000}.host_time_of(too_late + 480) + 500ms);
  static_cast<void>(rig.deliver());
  const auto outputs = rig.outputs();
  REQUIRE(outputs.size() == 4);
  Frames end = 0;
  for (const auto& one : outputs) {
    const HostTime stamp = TimelineAnchor{kOrigin, 48000}.host_time_of(end);
    CHECK(std::abs(static_cast<std::int64_t>(one.timestamp) - stamp.count()) <= 1);
    end += one.frames;
  }
  CHECK(end == writer.next());
  CHECK(outputs[1].channels[0] == std::vector<float>(1024, 0.0F));
  CHECK(outputs[2].channels[0][0] == static_cast<float>(too_late));
  CHECK(rig.feed->lost() == 1024);
  CHECK(rig.feed->delivered() == static_cast<std::uint64_t>(end - 1024));
}

TEST_CASE("a feed takes up the next session of the name") {
  Rig rig;
  auto writer =
      std::make_unique<CountingWriter>("stream", std::vector<std::string>{"game"}, rig.clock);
  writer->start(kOrigin);
  rig.write(*writer);
  static_cast<void>(rig.deliver());
  writer->finish();
  writer.reset();
  static_cast<void>(rig.deliver(500ms));
  CHECK(rig.outputs().size() == 1);

  CountingWriter next("stream", {"game"}, rig.clock);
  const HostTime origin = rig.clock.now();
  next.start(origin);
  next.block();
  rig.clock.advance(25ms);
  static_cast<void>(rig.deliver(200ms));
  rig.clock.advance(HostTime(-200ms));
  static_cast<void>(rig.deliver(0ms));
  next.block();
  static_cast<void>(rig.deliver(5ms));
  REQUIRE(rig.outputs().size() >= 2);
  CHECK(rig.outputs().back().timestamp ==
        static_cast<std::uint64_t>((origin + kBlockTime).count()));
}

TEST_CASE(
    "a feed begins so that OBS mixes it in the next round, and buffers no more than it must") {
  Rig rig;
  const HostTime length = TimelineAnchor{}.host_time_of(1024);
  const HostTime grid = kOrigin + 3ms - 300 * length;
  fake_obs::set_round(static_cast<std::uint64_t>(grid.count()));
  CountingWriter writer("stream", {"game"}, rig.clock);
  writer.start(kOrigin);
  for (int i = 0; i < 30 && rig.outputs().empty(); ++i) {
    rig.write(writer);
    static_cast<void>(rig.deliver(1ms));
  }
  fake_obs::set_round(0);
  CHECK(fake_obs::mix_is_free());
  const auto outputs = rig.outputs();
  REQUIRE(!outputs.empty());
  CHECK(rig.bare.outputs()[0].frames == 1);
  const HostTime first{static_cast<std::int64_t>(outputs[0].timestamp)};
  CHECK(first == TimelineAnchor{kOrigin, 48000}.host_time_of(
                     static_cast<Frames>(outputs[0].channels[0][0])));
  // At the begin of a round.
  CHECK((first - grid) % length < 21us);
  // A block of 10 ms, 10 ms of latency, and 5 ms in reserve.
  const HostTime late = 25ms;
  const HostTime next_round = rig.clock.now() - (rig.clock.now() - grid) % length + length;
  CHECK(next_round - late >= first + length);
  CHECK(next_round - late < first + 2 * length);
  CHECK(rig.feed->lost() == 0);
}

TEST_CASE("a feed that OBS has let slip begins anew, in its place") {
  bool is_handing_over = false;
  SUBCASE("before it hands over") {}
  SUBCASE("while it hands over") {
    is_handing_over = true;
  }
  Rig rig;
  CountingWriter writer("stream", {"game"}, rig.clock);
  writer.start(kOrigin);
  for (int i = 0; i < 10; ++i) {
    rig.write(writer);
    static_cast<void>(rig.deliver());
  }
  auto before = rig.outputs().size();
  const HostTime place = kOrigin + 10 * kBlockTime + 4ms;  // it had only ten blocks
  rig.write(writer);
  if (is_handing_over) {
    rig.bare.slip_before_output(static_cast<std::uint64_t>(place.count()));
    static_cast<void>(rig.deliver());
    CHECK(rig.outputs().size() == ++before);
  } else {
    rig.bare.slip(static_cast<std::uint64_t>(place.count()));
  }
  fake_obs::set_round(static_cast<std::uint64_t>(rig.clock.now().count()));
  static_cast<void>(rig.deliver());
  fake_obs::set_round(0);
  const auto outputs = rig.outputs();
  REQUIRE(outputs.size() > before);
  CHECK(rig.bare.outputs()[before + 1].frames == 1);
  // Again what OBS had not mixed, so that it buffers for what is as late as that.
  CHECK(outputs[before].timestamp < static_cast<std::uint64_t>(place.count()));
  CHECK(rig.feed->lost() == 1024);
  CHECK(rig.feed->delivered() == static_cast<std::uint64_t>(writer.next()));
}

TEST_CASE("a source that OBS only monitors has no place to slip from") {
  Rig rig;
  CountingWriter writer("stream", {"game"}, rig.clock);
  writer.start(kOrigin);
  fake_obs::monitor_only(true);
  for (int i = 0; i < 10; ++i) {
    rig.write(writer);
    static_cast<void>(rig.deliver());
    rig.bare.slip(0);
  }
  fake_obs::monitor_only(false);
  CHECK(rig.outputs().size() == 10);
  CHECK(rig.feed->lost() == 0);
}

TEST_CASE("a histogram of delays tells what share stays below what") {
  DelayHistogram delays;
  CHECK(delays.quantile(0.99) == 0ms);
  for (int i = 0; i < 99; ++i) delays.add(200us);
  delays.add(7100us);
  CHECK(delays.quantile(0.5) == 500us);
  CHECK(delays.quantile(0.99) == 500us);
  CHECK(delays.quantile(1.0) == 7500us);
  delays.add(3h);
  CHECK(delays.quantile(1.0) == 50ms);
  delays.add(-1ms);
}
