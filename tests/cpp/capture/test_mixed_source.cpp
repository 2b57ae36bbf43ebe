// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "allocation_counter.hpp"
#include "capture/mixed_source.hpp"
#include "core/thread_role.hpp"
#include "engine/source_node.hpp"
#include "timeline/ledger.hpp"

using namespace std::chrono_literals;
using pypac::Cause;
using pypac::ClockReading;
using pypac::Frames;
using pypac::HostTime;
using pypac::Incident;
using pypac::Ledger;
using pypac::MixedSource;
using pypac::ScopedThreadRole;
using pypac::SourceNode;
using pypac::SubjectKind;
using pypac::Tap;
using pypac::ThreadRole;

namespace {

constexpr HostTime kOrigin = 100s;
constexpr std::uint32_t kBlock = 480;

/// A client of one tap: every frame has the value of its place on its own clock, times a factor.
class Client {
 public:
  Client(std::shared_ptr<Tap> tap, std::uint64_t clock_id, float factor, std::uint32_t frames = 480,
         double skew_ppm = 0, Cause new_clock = Cause::clock_changed)
      : tap_(std::move(tap)),
        clock_id_(clock_id),
        factor_(factor),
        frames_(frames),
        rate_(48000 * (1 + skew_ppm * 1e-6)),
        new_clock_(new_clock) {}

  void push(bool lost = false, bool flagged = false) {
    std::vector<float> samples(std::size_t{2} * frames_);
    for (std::uint32_t i = 0; i < frames_; ++i) {
      samples[2 * i] = factor_ * static_cast<float>(position_ + i);
      samples[2 * i + 1] = -samples[2 * i];
    }
    ClockReading reading;
    reading.clock_id = clock_id_;
    reading.frames = frames_;
    reading.has_position = false;
    reading.frames_missing = flagged;
    reading.new_clock = new_clock_;
    reading.host_time =
        kOrigin + HostTime(std::llround(static_cast<double>(position_) / rate_ * 1e9));
    reading.received = reading.host_time + 10ms;
    if (!lost) tap_->push(reading, samples.data());
    position_ += frames_;
  }

 private:
  std::shared_ptr<Tap> tap_;
  std::uint64_t clock_id_;
  float factor_;
  std::uint32_t frames_;
  double rate_;
  Cause new_clock_;
  std::int64_t position_ = 0;
};

struct Rig {
  std::shared_ptr<MixedSource> source = std::make_shared<MixedSource>(2, 48000, 48000);
  Ledger ledger;
  SourceNode node{"mix", ledger.open_account(), source, 48000, kBlock};
  Frames position = 0;
  std::vector<float> left;
  std::vector<float> right;

  Rig() { source->set_absence(Cause::not_running); }

  void play(int blocks = 1) {
    const ScopedThreadRole role(ThreadRole::pump);
    for (int i = 0; i < blocks; ++i) {
      node.process(position, kBlock, kOrigin, ledger);
      const float* const* channels = node.block().channels();
      left.insert(left.end(), channels[0], channels[0] + kBlock);
      right.insert(right.end(), channels[1], channels[1] + kBlock);
      position += kBlock;
    }
  }

  std::vector<Incident> incidents() {
    ledger.close(node.account(), position);
    std::vector<Incident> all;
    while (const std::optional<Incident> one = ledger.pop()) all.push_back(*one);
    return all;
  }
};

}  // namespace

TEST_CASE("one tap passes bit for bit from frame 0") {
  Rig rig;
  Client client(rig.source->add_tap(), 1, 1.0F);
  rig.source->start(kOrigin);
  for (int i = 0; i < 50; ++i) client.push();
  rig.play(50);
  for (std::size_t i = 0; i < rig.left.size(); ++i) {
    REQUIRE(rig.left[i] == static_cast<float>(i));
    REQUIRE(rig.right[i] == -static_cast<float>(i));
  }
  CHECK(rig.incidents().empty());
  CHECK(rig.node.captured_frames() == 50 * kBlock);
  CHECK(rig.node.domain().locked());
}

TEST_CASE("gotcha 18: two taps with packets of different lengths add up, frame for frame") {
  Rig rig;
  Client one(rig.source->add_tap(), 1, 1.0F, 480);
  Client other(rig.source->add_tap(), 2, 2.0F, 441);
  rig.source->start(kOrigin);
  for (int i = 0; i < 50; ++i) one.push();
  for (int i = 0; i < 56; ++i) other.push();
  rig.play(50);
  for (std::size_t i = 0; i < rig.left.size(); ++i)
    REQUIRE(rig.left[i] == 3.0F * static_cast<float>(i));
  CHECK(rig.incidents().empty());
}

TEST_CASE("a loss of one of two taps is told, and the other one is heard meanwhile") {
  Rig rig;
  Client one(rig.source->add_tap(), 1, 1.0F);
  Client other(rig.source->add_tap(), 2, 2.0F);
  rig.source->start(kOrigin);
  for (int i = 0; i < 50; ++i) {
    one.push();
    other.push(i == 20, i == 21);
  }
  rig.play(50);
  for (std::size_t i = 0; i < rig.left.size(); ++i) {
    const float factor = i / kBlock == 20 ? 1.0F : 3.0F;
    REQUIRE(rig.left[i] == factor * static_cast<float>(i));
  }
  const std::vector<Incident> incidents = rig.incidents();
  REQUIRE(incidents.size() == 1);
  CHECK(incidents[0].cause == Cause::lost_cycles);
  CHECK(incidents[0].begin == 20 * kBlock);
  CHECK(incidents[0].frames == kBlock);
}

TEST_CASE("a loss of the only tap is one incident with its cause") {
  Rig rig;
  rig.source->set_absence(Cause::stalled);
  Client client(rig.source->add_tap(), 1, 1.0F);
  rig.source->start(kOrigin);
  for (int i = 0; i < 50; ++i) client.push(i == 20, i == 21);
  rig.play(50);
  for (std::size_t i = 0; i < rig.left.size(); ++i)
    REQUIRE(rig.left[i] == (i / kBlock == 20 ? 0.0F : static_cast<float>(i)));
  const std::vector<Incident> incidents = rig.incidents();
  REQUIRE(incidents.size() == 1);
  CHECK(incidents[0].cause == Cause::lost_cycles);
  CHECK(incidents[0].begin == 20 * kBlock);
  CHECK(incidents[0].frames == kBlock);
  CHECK(rig.node.captured_frames() == 49 * kBlock);
}

TEST_CASE("silence without any tap has the cause that it was given") {
  Rig rig;
  rig.source->start(kOrigin);
  rig.play(10);
  const std::vector<Incident> incidents = rig.incidents();
  REQUIRE(incidents.size() == 1);
  CHECK(incidents[0].cause == Cause::not_running);
  CHECK(incidents[0].frames == 10 * kBlock);
}

TEST_CASE("a tap that joins late is heard from its place on") {
  Rig rig;
  rig.source->start(kOrigin);
  rig.play(10);
  Client client(rig.source->add_tap(), 1, 1.0F);
  for (int i = 0; i < 30; ++i) client.push(i < 15);
  rig.play(20);
  CHECK(rig.left[15 * kBlock - 1] == 0);
  CHECK(rig.left[15 * kBlock] == 15.0F * kBlock);
  const std::vector<Incident> incidents = rig.incidents();
  REQUIRE(incidents.size() == 1);
  CHECK(incidents[0].cause == Cause::not_running);
  CHECK(incidents[0].frames == 15 * kBlock);
}

TEST_CASE("a tap that is given to another client begins on that one's clock") {
  Rig rig;
  const std::shared_ptr<Tap> tap = rig.source->add_tap();
  rig.source->start(kOrigin);
  Client first(tap, 1, 1.0F);
  for (int i = 0; i < 10; ++i) first.push();
  rig.play(12);
  Client second(tap, 2, 2.0F);
  for (int i = 0; i < 30; ++i) second.push(i < 15);
  rig.play(18);
  CHECK(rig.left[10 * kBlock - 1] == 10.0F * kBlock - 1);
  CHECK(rig.left[10 * kBlock] == 0);
  CHECK(rig.left[15 * kBlock - 1] == 0);
  CHECK(rig.left[15 * kBlock] == 2 * 15.0F * kBlock);
  const std::vector<Incident> incidents = rig.incidents();
  REQUIRE(incidents.size() == 1);
  CHECK(incidents[0].begin == 10 * kBlock);
  CHECK(incidents[0].frames == 5 * kBlock);
}

TEST_CASE("what lies between two clients has the second one's reason, be it played later") {
  for (const Cause reason : {Cause::not_running, Cause::clock_changed}) {
    Rig rig;
    rig.source->set_absence(Cause::stalled);  // of a source that is captured
    const std::shared_ptr<Tap> tap = rig.source->add_tap();
    rig.source->start(kOrigin);
    Client first(tap, 1, 1.0F);
    for (int i = 0; i < 10; ++i) first.push();
    Client second(tap, 2, 2.0F, 480, 0, reason);
    for (int i = 0; i < 20; ++i) second.push(i < 15);
    rig.play(20);
    const std::vector<Incident> incidents = rig.incidents();
    REQUIRE(incidents.size() == 1);
    CHECK(incidents[0].cause == reason);
    CHECK(incidents[0].begin == 10 * kBlock);
    CHECK(incidents[0].frames == 5 * kBlock);
  }
}

TEST_CASE("a tap that drifts is resampled to the timeline, and keeps its place for minutes") {
  Rig rig;
  Client client(rig.source->add_tap(), 1, 1e-6F, 480, 200);
  rig.source->start(kOrigin);
  for (int block = 0; block < 6000; ++block) {
    // Its packets come a little faster than blocks are played.
    client.push();
    if (block >= 4) rig.play();
  }
  // Value 1e-6 x a position that runs 200 ppm fast: after 60 s it is 0.012 s of frames ahead.
  const auto at = static_cast<double>(rig.left.size() - 1);
  CHECK(rig.left.back() == doctest::Approx(1e-6 * at * 1.0002).epsilon(1e-5));
  CHECK(rig.node.domain().drift_ppm() == doctest::Approx(200).epsilon(0.05));
  CHECK(rig.incidents().empty());
}

TEST_CASE("frames that come too late are told and counted") {
  Rig rig;
  rig.source->set_absence(Cause::stalled);
  Client client(rig.source->add_tap(), 1, 1.0F);
  rig.source->start(kOrigin);
  for (int i = 0; i < 10; ++i) client.push();
  rig.play(12);
  for (int i = 10; i < 20; ++i) client.push();
  rig.play(8);
  CHECK(rig.node.late_frames() == 2 * kBlock);
  const std::vector<Incident> incidents = rig.incidents();
  CHECK(std::ranges::count(incidents, Cause::late, &Incident::cause) == 1);
  CHECK(std::ranges::count(incidents, Cause::stalled, &Incident::cause) == 1);
}

TEST_CASE("neither pushing nor gathering allocates") {
  Rig rig;
  const std::shared_ptr<Tap> tap = rig.source->add_tap();
  const std::shared_ptr<Tap> second = rig.source->add_tap();
  rig.source->start(kOrigin);
  const std::vector<float> samples(2 * std::size_t{kBlock}, 0.25F);
  const auto round = [&](int i) {
    const ScopedThreadRole role(ThreadRole::pump);
    ClockReading reading;
    reading.clock_id = 1;
    reading.frames = kBlock;
    reading.has_position = false;
    reading.host_time = kOrigin + i * 10ms;
    tap->push(reading, samples.data());
    if (i % 10 != 5) second->push(reading, nullptr);
    rig.node.process(rig.position, kBlock, kOrigin, rig.ledger);
    rig.position += kBlock;
  };
  round(0);
  const std::uint64_t before = pypac::test::allocations();
  for (int i = 1; i < 500; ++i) round(i);
  CHECK(pypac::test::allocations() == before);
}
