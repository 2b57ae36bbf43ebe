// SPDX-License-Identifier: MIT
// Against a bare PipeWire of the test's own: no session manager, no D-Bus, no sound card.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "capture/pipewire/pipewire_capture.hpp"
#include "core/host_clock.hpp"
#include "core/status.hpp"
#include "plugin/source.hpp"
#include "plugin/source_feed.hpp"
#include "timeline/gap_sink.hpp"

using namespace std::chrono_literals;
using pypac::PipewireCapture;
using pypac::PipewireOptions;
using pypac::Selector;
using pypac::SelectorKind;
using pypac::SourceState;

namespace {

namespace fs = std::filesystem;

constexpr const char* kConfiguration = R"(
context.properties = {
  core.daemon = true
  core.name = pipewire-0
  default.clock.min-quantum = 64
  default.clock.quantum = QUANTUM
  vm.overrides = { default.clock.min-quantum = 64 }
}
context.spa-libs = {
  audio.convert.* = audioconvert/libspa-audioconvert
  support.* = support/libspa-support
}
context.modules = [
  { name = libpipewire-module-rt flags = [ ifexists nofail ] }
  { name = libpipewire-module-protocol-native }
  { name = libpipewire-module-metadata }
  { name = libpipewire-module-spa-node-factory }
  { name = libpipewire-module-client-node }
  { name = libpipewire-module-access }
  { name = libpipewire-module-adapter }
  { name = libpipewire-module-link-factory }
]
context.objects = [
  { factory = metadata args = { metadata.name = default } }
  { factory = spa-node-factory
    args = { factory.name = support.node.driver node.name = Dummy-Driver priority.driver = 20000 } }
]
)";

pid_t start(const std::vector<std::string>& command, const std::string& output = "/dev/null") {
  // Before fork(): another thread of this program may hold the allocator's lock.
  std::vector<char*> arguments;
  for (const std::string& one : command) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  const pid_t pid = fork();
  if (pid != 0) return pid;
  dup2(open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), STDOUT_FILENO);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

void end(pid_t pid) {
  if (pid <= 0) return;
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

template <typename Condition>
bool comes_true(Condition condition, std::chrono::milliseconds timeout = 5s) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

/// How often, and for how many frames, the graph went on without a program.
struct Missed {
  std::int64_t times = 0;
  std::int64_t frames = 0;
};

/// A daemon and its programs, in a temporary folder.
class BareAudio {
 public:
  explicit BareAudio(int quantum = 256) {
    std::string folder = "/tmp/pypac-test-XXXXXX";
    REQUIRE(mkdtemp(folder.data()));
    folder_ = folder;
    std::string configuration = kConfiguration;
    const std::string word = "QUANTUM";
    configuration.replace(configuration.find(word), word.size(), std::to_string(quantum));
    std::ofstream(folder_ / "bare.conf") << configuration;
    setenv("XDG_RUNTIME_DIR", folder_.c_str(), 1);
    setenv("XDG_CONFIG_HOME", folder_.c_str(), 1);
    unsetenv("PIPEWIRE_REMOTE");
    unsetenv("PIPEWIRE_RUNTIME_DIR");
    start_daemon();
  }
  ~BareAudio() {
    for (const pid_t player : players_) end(player);
    end(daemon_);
    fs::remove_all(folder_);
  }
  BareAudio(const BareAudio&) = delete;
  BareAudio& operator=(const BareAudio&) = delete;

  void start_daemon() {
    daemon_ = start({"pipewire", "-c", (folder_ / "bare.conf").string()});
    REQUIRE(comes_true([&] { return fs::exists(remote()); }));
  }

  void kill_daemon() {
    end(std::exchange(daemon_, 0));
    fs::remove(remote());
    fs::remove(remote() + ".lock");
  }

  /// In the place of the daemon, which must have been killed.
  void take_one_connection_and_drop_it() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    remote().copy(address.sun_path, sizeof(address.sun_path) - 1);
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    REQUIRE(listen(listener, 1) == 0);
    close(accept(listener, nullptr, nullptr));
    close(listener);
    fs::remove(remote());
  }

  /// A program of that name that plays the graph's position.
  pid_t play(const std::string& name, const std::string& channels = "2") {
    const fs::path program = folder_ / name;
    if (!fs::exists(program)) fs::copy_file(POSITION_PLAYER, program);
    players_.push_back(
        start({program.string(), "--name", name, "--target", "none", "--channels", channels},
              program.string() + ".out"));
    return players_.back();
  }

  [[nodiscard]] Missed missed(const std::string& name) const {
    std::ifstream output(folder_ / (name + ".out"));
    Missed sum;
    for (std::string line; std::getline(output, line);) {
      if (!line.starts_with("missed ")) continue;
      ++sum.times;
      sum.frames += std::stoll(line.substr(line.rfind(' ')));
    }
    return sum;
  }

  [[nodiscard]] std::string remote() const { return (folder_ / "pipewire-0").string(); }
  [[nodiscard]] PipewireOptions options() const {
    PipewireOptions options;
    options.remote = remote();
    options.meter_streams = true;
    return options;
  }

 private:
  fs::path folder_;
  pid_t daemon_ = 0;
  std::vector<pid_t> players_;
};

Selector program(const char* name) {
  Selector selector;
  selector.patterns = {name};
  return selector;
}

/// Plays a source, as the engine's pump does, and looks at what it hears of a position player.
class Listener final : pypac::GapSink {
 public:
  Listener(std::shared_ptr<pypac::Source> source, pypac::HostTime origin)
      : source_(std::move(source)), origin_(origin) {
    source_->start(origin);
  }
  /// Instead of frame 0, from where the session is now.
  void join() { at_ = due(); }

  /// Takes what has come; returns the graph position that each frame carries less its place on the
  /// timeline: the same number throughout if every frame is where it belongs.
  std::vector<std::int64_t> shifts() {
    std::vector<std::int64_t> all;
    for (const pypac::Frames until = due(); at_ + 480 <= until; at_ += 480) {
      const pypac::Source::Taken taken = source_->read({at_, 480, origin_, room_.data()}, *this);
      look_at(taken.channels, all);
    }
    return all;
  }

  /// Frames that did not come, since the first that did.
  [[nodiscard]] std::int64_t missing() const { return missing_; }

 private:
  [[nodiscard]] pypac::Frames due() const {
    const pypac::HostTime past = pypac::SystemClock().now() - 100ms - origin_;
    return past.count() * 48 / 1'000'000;
  }
  void incident(pypac::Cause cause, pypac::Frames, pypac::Frames frames) noexcept override {
    using pypac::Cause;
    if (cause != Cause::late && cause != Cause::overlap && cause != Cause::restamped)
      gap_ += frames;
  }

  void look_at(const float* const* channels, std::vector<std::int64_t>& all) {
    // A gap counts once something is behind it.
    if (gap_ < 480) {
      if (heard_) missing_ += gap_before_ + gap_;
      gap_before_ = 0;
      heard_ = true;
    } else if (heard_) {
      gap_before_ += gap_;
    }
    gap_ = 0;
    for (std::uint32_t i = 0; i < 480; ++i) {
      const auto position = static_cast<std::int64_t>(std::lround(channels[0][i] * 16777216.0));
      CHECK(channels[1][i] == -channels[0][i]);
      if (position != 0) all.push_back((position - (at_ + i)) & 0xffffff);
    }
  }

  std::shared_ptr<pypac::Source> source_;
  pypac::HostTime origin_;
  pypac::Frames at_ = 0;
  std::array<std::array<float, 480>, 2> samples_{};
  std::array<float*, 2> room_{samples_[0].data(), samples_[1].data()};
  bool heard_ = false;
  pypac::Frames gap_ = 0;         // in this block
  pypac::Frames gap_before_ = 0;  // since the last frame
  std::int64_t missing_ = 0;
};

}  // namespace

TEST_CASE("without a daemon there is one sentence and a remedy") {
  PipewireOptions options;
  options.remote = "/nowhere/pipewire-0";
  try {
    const PipewireCapture capture(options);
    FAIL("it connected");
  } catch (const pypac::Failure& failure) {
    CHECK(failure.kind() == pypac::ErrorKind::backend_unavailable);
    CHECK_FALSE(failure.remedy().empty());
  }
}

TEST_CASE(
    "every captured frame is where the graph put it, through exits and a restart of PipeWire") {
  BareAudio audio;
  const pid_t game = audio.play("bare-game");
  audio.play("bare-voice");
  PipewireCapture capture(audio.options());
  const auto game_source = capture.add_source("game", program("bare-game"));
  const auto voice_source = capture.add_source("voice", program("bare-voice"));
  Selector rest;
  rest.kind = SelectorKind::everything_except;
  rest.except_sources = {program("bare-voice")};
  const auto rest_source = capture.add_source("rest", rest);
  const auto state = [&](const char* name) { return capture.source_status(name).state; };

  REQUIRE(comes_true([&] { return state("game") == SourceState::capturing; }));
  REQUIRE(comes_true([&] { return state("voice") == SourceState::capturing; }));
  REQUIRE(capture.wait_until_running(5s));
  const pypac::HostTime origin = pypac::SystemClock().now();
  Listener game_heard(game_source, origin);
  Listener voice_heard(voice_source, origin);
  Listener rest_heard(rest_source, origin);
  std::this_thread::sleep_for(400ms);
  std::vector<std::int64_t> all;
  for (Listener* const one : {&game_heard, &voice_heard, &rest_heard}) {
    const std::vector<std::int64_t> heard = one->shifts();
    CHECK(heard.size() > 4800);
    all.insert(all.end(), heard.begin(), heard.end());
  }
  CHECK(std::ranges::count(all, all.front()) == std::ssize(all));
  CHECK(capture.streams().size() == 2);

  end(game);
  CHECK(comes_true([&] { return state("game") == SourceState::not_running; }, 500ms));
  std::this_thread::sleep_for(150ms);
  game_heard.shifts();
  CHECK(game_source->absence() == pypac::Cause::not_running);
  rest_heard.shifts();
  std::this_thread::sleep_for(50ms);
  CHECK(rest_heard.shifts().empty());

  audio.kill_daemon();
  CHECK(comes_true([&] { return state("voice") == SourceState::backend_lost; }));
  std::this_thread::sleep_for(150ms);
  voice_heard.shifts();
  CHECK(voice_source->absence() == pypac::Cause::backend_lost);
  audio.start_daemon();
  audio.play("bare-voice");
  REQUIRE(comes_true([&] { return state("voice") == SourceState::capturing; }));
  std::this_thread::sleep_for(150ms);
  voice_heard.shifts();
  std::this_thread::sleep_for(100ms);
  all = voice_heard.shifts();
  CHECK(all.size() > 1000);
  CHECK(std::ranges::count(all, all.front()) == std::ssize(all));
  CHECK(capture.server_info().reconnects >= 1);

  voice_source->stop();
  std::this_thread::sleep_for(150ms);
  voice_heard.shifts();
  std::this_thread::sleep_for(50ms);
  CHECK(voice_heard.shifts().empty());
  capture.stop();
  CHECK_THROWS_AS(capture.streams(), pypac::Failure);
}

TEST_CASE("a source that stays loses no frame while others come and go") {
  BareAudio audio(1024);
  audio.play("bare-game");
  audio.play("bare-voice");
  PipewireCapture capture(audio.options());
  const auto plays = [&](const char* name) {
    return comes_true([&] { return capture.source_status(name).state == SourceState::capturing; });
  };
  const auto stays = capture.add_source("stays", program("bare-game"));
  REQUIRE(plays("stays"));
  const pypac::HostTime origin = pypac::SystemClock().now();
  Listener heard(stays, origin);
  std::vector<std::int64_t> all;
  const auto hear = [&] {
    const std::vector<std::int64_t> shifts = heard.shifts();
    all.insert(all.end(), shifts.begin(), shifts.end());
  };
  std::this_thread::sleep_for(300ms);
  hear();
  const Missed missed_before = audio.missed("bare-game");
  const std::int64_t missing_before = heard.missing();

  std::shared_ptr<pypac::Source> removed;
  for (int round = 0; round < 50; ++round) {
    // In turn what nobody else captures, and what the one that stays does.
    const char* const wanted = round % 2 == 0 ? "bare-voice" : "bare-game";
    removed = capture.add_source("guest", program(wanted));
    CHECK_THROWS_WITH_AS(static_cast<void>(capture.add_source("guest", program(wanted))),
                         "there is a source guest already", pypac::Failure);
    Listener guest(removed, origin);
    guest.join();
    REQUIRE(plays("guest"));
    if (round % 10 == 0) {  // a new one is heard as the first was
      std::vector<std::int64_t> shifts;
      REQUIRE(comes_true([&] {
        hear();
        const std::vector<std::int64_t> more = guest.shifts();
        shifts.insert(shifts.end(), more.begin(), more.end());
        return shifts.size() > 480;
      }));
      hear();
      CHECK(std::ranges::count(shifts, all.front()) == std::ssize(shifts));
    }
    capture.remove_source("guest");
    CHECK_THROWS_WITH_AS(static_cast<void>(capture.source_status("guest")),
                         "there is no source guest", pypac::Failure);
    hear();
  }
  CHECK_THROWS_AS(capture.remove_source("guest"), pypac::Failure);
  // What has been removed stays valid, and gives nothing.
  Listener gone(removed, origin);
  std::this_thread::sleep_for(150ms);
  static_cast<void>(gone.shifts());  // what came before
  std::this_thread::sleep_for(150ms);
  CHECK(gone.shifts().empty());
  CHECK(removed->absence() == pypac::Cause::not_running);

  hear();
  CHECK(all.size() > 48000);
  CHECK(std::ranges::count(all, all.front()) == std::ssize(all));
  // A player that a busy machine held up has not played, and comes back between two cycles.
  const Missed missed = audio.missed("bare-game");
  const std::int64_t excused =
      missed.frames - missed_before.frames + 2 * 1024 * (missed.times - missed_before.times);
  CHECK(heard.missing() - missing_before <= excused);
  CHECK(capture.source_status("stays").streams.size() == 1);
  capture.remove_source("stays");
  CHECK(capture.wait_until_running(5s));  // the graph is watched also without a source
  CHECK(capture.streams().size() == 2);
}

TEST_CASE("a daemon that takes the connection and drops it is not the end of reconnecting") {
  BareAudio audio;
  PipewireCapture capture(audio.options());
  REQUIRE(capture.server_info().connected);
  audio.kill_daemon();
  std::this_thread::sleep_for(2s);  // by now it tries once a second, no more often
  audio.take_one_connection_and_drop_it();
  CHECK(comes_true([&] { return !capture.server_info().connected; }));
  audio.start_daemon();
  CHECK(comes_true([&] { return capture.server_info().connected; }));
}

TEST_CASE("programs come and go while sources are added and streams are metered") {
  BareAudio audio;
  PipewireCapture capture(audio.options());
  std::vector<std::shared_ptr<pypac::Source>> sources;
  for (int round = 0; round < 8; ++round) {
    const std::string name = "program" + std::to_string(round);
    const pid_t player = audio.play(name, round % 2 == 0 ? "2" : "6");
    sources.push_back(capture.add_source(name, program(name.c_str())));
    sources.back()->start(pypac::SystemClock().now());
    CHECK(comes_true([&] { return capture.source_status(name).state == SourceState::capturing; }));
    CHECK(comes_true([&] {
      const auto streams = capture.streams();
      return !streams.empty() && !std::isnan(streams.back().peak_db);
    }));
    end(player);
  }
  CHECK_THROWS_AS(static_cast<void>(capture.add_source("none", Selector{})), pypac::Failure);
  CHECK_THROWS_AS(static_cast<void>(capture.add_source("wide", program("x"), 9)), pypac::Failure);
}
