// SPDX-License-Identifier: GPL-2.0-or-later
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "counting_writer.hpp"
#include "fake_libobs.hpp"
#include "runtime_folder.hpp"

using namespace pypac;
using namespace pypac::test;
using namespace std::chrono_literals;
using fake_obs::Module;
using fake_obs::Source;

namespace {

/// Writes a session's tracks in real time until it ends.
class Session {
 public:
  Session(const std::string& name, std::vector<std::string> tracks)
      : writer_(name, std::move(tracks), clock_), thread_([this] { run(); }) {}
  ~Session() {
    ending_ = true;
    thread_.join();
  }

 private:
  void run() {
    const HostTime origin = clock_.now() + 20ms;
    writer_.start(origin);
    while (!ending_) {
      const TimelineAnchor anchor{origin, 48000};
      clock_.sleep_until(anchor.host_time_of(writer_.next() + 2 * CountingWriter::kBlock));
      writer_.block();
    }
    writer_.finish();
  }

  SystemClock clock_;
  CountingWriter writer_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

template <typename Condition>
void wait_until(Condition condition) {
  for (int i = 0; i < 3000 && !condition(); ++i) std::this_thread::sleep_for(10ms);
  REQUIRE(condition());
}

}  // namespace

TEST_CASE("two sources get their tracks with the same stamps") {
  const RuntimeFolder folder;
  const Module module;
  const Session session("stream", {"game", "voice"});
  const Source game({{"session", "stream"}, {"track", "game"}});
  const Source voice({{"session", "stream"}, {"track", "voice"}});
  wait_until([&] { return game.outputs().size() > 20 && voice.outputs().size() > 20; });
  const auto origin_of = [](const fake_obs::Output& one) {
    return static_cast<std::int64_t>(one.timestamp) -
           TimelineAnchor{}.host_time_of(static_cast<Frames>(one.channels[0][0])).count();
  };
  const std::int64_t origin = origin_of(game.outputs().back());
  for (const Source* source : {&game, &voice})
    for (const auto& one : source->outputs())
      // The others are silence: before the begin, and in holes.
      if (one.channels[0].back() != 0.0F) CHECK(origin_of(one) == origin);
}

TEST_CASE("a source plays on with the next session of the name, and nothing between the two") {
  const RuntimeFolder folder;
  const Module module;
  auto session = std::make_unique<Session>("stream", std::vector<std::string>{"game"});
  const Source game({{"session", "stream"}, {"track", "game"}});
  wait_until([&] { return game.outputs().size() > 3; });
  session.reset();
  std::this_thread::sleep_for(50ms);  // what was begun is ended
  const auto silent = game.outputs().size();
  std::this_thread::sleep_for(300ms);
  CHECK(game.outputs().size() == silent);
  session = std::make_unique<Session>("stream", std::vector<std::string>{"game"});
  wait_until([&] { return game.outputs().size() > silent + 3; });
  CHECK(fake_obs::mix_is_free());
}

TEST_CASE("sources come, change and go on several threads while audio flows") {
  const RuntimeFolder folder;
  {
    const Module module;
    const Session session("stream", {"game", "voice"});
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([t] {
        for (int i = 0; i < 25; ++i) {
          Source source({{"session", "stream"}, {"track", t % 2 ? "game" : "voice"}});
          std::this_thread::sleep_for(std::chrono::milliseconds((i * 7 + t) % 23));
          source.update({{"track", "voice"}});
          static_cast<void>(source.page());
          source.update({{"session", i % 3 ? "stream" : "none"}});
        }
      });
    }
    Source shared({{"session", "stream"}, {"track", "game"}});
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) shared.update({{"track", i % 2 ? "game" : "voice"}});
    });
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) static_cast<void>(shared.page());
    });
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(fake_obs::misuses() == 0);
  CHECK(fake_obs::alive() == 0);
}

TEST_CASE("a source may outlive the module's unloading") {
  const RuntimeFolder folder;
  {
    auto module = std::make_unique<Module>();
    const Session session("stream", {"game"});
    Source source({{"session", "stream"}, {"track", "game"}});
    wait_until([&] { return !source.outputs().empty(); });
    module.reset();
    const auto silent = source.outputs().size();
    source.update({{"track", "voice"}});
    source.update({{"track", "game"}});
    std::this_thread::sleep_for(50ms);
    CHECK(source.outputs().size() == silent);
  }
  CHECK(fake_obs::misuses() == 0);
  CHECK(fake_obs::alive() == 0);
}
