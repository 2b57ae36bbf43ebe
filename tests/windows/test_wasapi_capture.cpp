// SPDX-License-Identifier: MIT
// The Windows capture against the double of Windows' audio service.
#include <doctest/doctest.h>
#include <windows.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <numbers>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "allocation_counter.hpp"
#include "capture/mixed_source.hpp"
#include "capture/wasapi/capture_client.hpp"
#include "capture/wasapi/wasapi_capture.hpp"
#include "core/host_clock.hpp"
#include "core/status.hpp"
#include "core/thread_role.hpp"
#include "engine/source_node.hpp"
#include "fake_audio.hpp"
#include "os/process_snapshot.hpp"
#include "os/windows/handle.hpp"
#include "played_program.hpp"
#include "stop_states.hpp"
#include "timeline/ledger.hpp"

using namespace std::chrono_literals;
using fake::comes_true;
using fake::FakeAudio;
using fake::played_programs;
using fake::PlayedProgram;
using fake::Seen;
using pypac::CaptureClient;
using pypac::CaptureTarget;
using pypac::HostTime;
using pypac::Ledger;
using pypac::MixedSource;
using pypac::Source;
using pypac::SourceNode;
using pypac::SourceState;
using pypac::StreamView;
using pypac::WasapiCapture;
using pypac::WasapiOptions;

namespace {

constexpr std::uint32_t kBlock = 480;
constexpr const char* kThisProgram = "test_wasapi_capture.exe";

CaptureTarget this_program() {
  const std::int64_t pid = pypac::current_process_id();
  return {CaptureTarget::Kind::tree, pid, pypac::read_process(pid)->start_time, {}};
}

/// How many handles this process has. Wine's GetProcessHandleCount() says 0.
int handles() {
  int count = 0;
  for (std::uintptr_t value = 4; value < 0x4000; value += 4) {
    DWORD flags = 0;
    if (GetHandleInformation(reinterpret_cast<HANDLE>(value), &flags)) ++count;
  }
  return count;
}

/// Where this program keeps the address that Windows gave it of a function.
template <typename Function>
Function* import_place(Function function) {
  auto* const base = reinterpret_cast<BYTE*>(GetModuleHandleW(nullptr));
  const auto* const dos = reinterpret_cast<const IMAGE_DOS_HEADER*>(base);
  const auto* const headers = reinterpret_cast<const IMAGE_NT_HEADERS*>(base + dos->e_lfanew);
  const IMAGE_DATA_DIRECTORY& table =
      headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IAT];
  auto* const addresses = reinterpret_cast<Function*>(base + table.VirtualAddress);
  for (DWORD i = 0; i < table.Size / sizeof(Function); ++i) {
    if (addresses[i] == function) return addresses + i;
  }
  throw std::runtime_error("this program does not import the function");
}

/// Puts another address there.
template <typename Function>
void replace_import(Function* place, Function function) {
  DWORD before = 0;
  VirtualProtect(place, sizeof(Function), PAGE_READWRITE, &before);
  *place = function;
  VirtualProtect(place, sizeof(Function), before, &before);
}

/// The function that Windows has under that name.
template <typename Function>
Function system_function(const char* name) {
  return reinterpret_cast<Function>(
      reinterpret_cast<void*>(GetProcAddress(GetModuleHandleW(L"kernel32.dll"), name)));
}

/// The system does not list to this program when processes were started, as long as this lives.
class NoStartTimes {
 public:
  NoStartTimes() { replace_import(place_, &without); }
  ~NoStartTimes() { replace_import(place_, system_); }
  NoStartTimes(const NoStartTimes&) = delete;
  NoStartTimes& operator=(const NoStartTimes&) = delete;

 private:
  using Function = FARPROC(WINAPI*)(HMODULE, LPCSTR);

  static FARPROC WINAPI without(HMODULE module, LPCSTR name) {
    // Functions also go by numbers.
    const bool has_name = reinterpret_cast<std::uintptr_t>(name) > 0xffff;
    if (has_name && std::string_view(name) == "NtQuerySystemInformation") return nullptr;
    return system_(module, name);
  }

  static inline const Function system_ = system_function<Function>("GetProcAddress");
  Function* const place_ = import_place(system_);
};

/// Sees what this program asks of other processes, as long as it lives. It takes the place of
/// OpenProcess among the addresses that Windows gave this program, and so sees no other module's.
class OpenProcessSpy {
 public:
  OpenProcessSpy() {
    asked_ = 0;
    refused_ = 0;
    replace_import(place_, &watched);
  }
  ~OpenProcessSpy() { replace_import(place_, system_); }
  OpenProcessSpy(const OpenProcessSpy&) = delete;
  OpenProcessSpy& operator=(const OpenProcessSpy&) = delete;

  /// All rights that were asked for.
  [[nodiscard]] static DWORD asked() { return asked_; }
  /// The process grants nothing from now on.
  static void refuse(std::int64_t pid) { refused_ = static_cast<DWORD>(pid); }

 private:
  using Function = HANDLE(WINAPI*)(DWORD, BOOL, DWORD);

  static HANDLE WINAPI watched(DWORD access, BOOL inherited, DWORD pid) {
    asked_ |= access;
    if (pid != 0 && pid == refused_) {
      SetLastError(ERROR_ACCESS_DENIED);
      return nullptr;
    }
    return system_(access, inherited, pid);
  }

  static inline const Function system_ = system_function<Function>("OpenProcess");
  static inline std::atomic<DWORD> asked_{0};
  static inline std::atomic<DWORD> refused_{0};
  Function* const place_ = import_place(system_);
};

/// Amplitude of a tone in the samples.
double level_at(const std::vector<float>& samples, double frequency) {
  double sine = 0;
  double cosine = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double phase = 2 * std::numbers::pi * frequency * static_cast<double>(i) / 48000;
    sine += samples[i] * std::sin(phase);
    cosine += samples[i] * std::cos(phase);
  }
  return 2 * std::hypot(sine, cosine) / static_cast<double>(samples.size());
}

/// What a source brings from now on: its left channel, for half a second.
std::vector<float> half_a_second(const std::shared_ptr<Source>& source, HostTime origin) {
  const pypac::ScopedThreadRole role(pypac::ThreadRole::pump);
  Ledger ledger;
  SourceNode node("source", ledger.open_account(), source, 48000, kBlock);
  std::vector<float> left;
  for (pypac::Frames begin = 0; begin < 24000; begin += kBlock) {
    node.process(begin, kBlock, origin, ledger);
    left.insert(left.end(), node.block().channels()[0], node.block().channels()[0] + kBlock);
  }
  return left;
}

/// Plays a source whose program numbers its frames, as time goes on.
class NumbersHeard {
 public:
  NumbersHeard(std::shared_ptr<Source> source, HostTime origin)
      : origin_(origin), node_("source", ledger_.open_account(), source, 48000, kBlock) {
    source->start(origin);
  }

  /// Takes what has come.
  void play() {
    const pypac::ScopedThreadRole role(pypac::ThreadRole::pump);
    const HostTime past = pypac::SystemClock().now() - 300ms - origin_;
    const pypac::Frames until = past.count() * 48 / 1'000'000;
    for (; at_ + kBlock <= until; at_ += kBlock) {
      node_.process(at_, kBlock, origin_, ledger_);
      for (std::uint32_t i = 0; i < kBlock; ++i) look_at(node_.block().channels()[0][i]);
    }
  }

  /// Frames since it was heard bit for bit: a clock that has just begun is first brought to its
  /// place.
  [[nodiscard]] std::int64_t heard() const { return heard_; }
  /// Those of them that are not the next after the one before.
  [[nodiscard]] std::int64_t wrong() const { return wrong_; }
  /// The last frame was silence.
  [[nodiscard]] bool silent() const { return last_ == 0; }

 private:
  static constexpr std::int64_t kNumbers = 1 << 24;  // as the double has it
  static constexpr std::int64_t kSettled = 4800;

  void look_at(float sample) {
    const auto number = static_cast<std::int64_t>(std::lround(sample * kNumbers));
    const bool next = number == (last_ + 1) % kNumbers;
    last_ = number;
    in_a_row_ = next ? in_a_row_ + 1 : 0;
    if (heard_ == 0 && in_a_row_ < kSettled) return;
    ++heard_;
    if (!next) ++wrong_;
  }

  HostTime origin_;
  Ledger ledger_;
  SourceNode node_;
  pypac::Frames at_ = 0;
  std::int64_t last_ = 0;
  std::int64_t in_a_row_ = 0;
  std::int64_t heard_ = 0;
  std::int64_t wrong_ = 0;
};

/// Was a capture of the program opened before the first of the calls that are held up returned?
bool opened_under_held_calls(const Seen& seen, const std::string& program) {
  const std::size_t opened = seen.text().find("\"target\": \"" + program + "\"");
  const std::size_t returned = seen.text().find("\"event\": \"failed\"");
  REQUIRE(returned != std::string::npos);
  return opened < returned;
}

void clean(const Seen& seen) {
  INFO(seen.text());
  CHECK(seen.violations().empty());
  CHECK(seen.open().empty());
}

/// Changes all that sessions and inputs show, one thing after the other, under a capture that has
/// no source: the first that it does not see. Empty: it sees all.
std::string unseen_change(const WasapiOptions& options, const std::string& service) {
  const auto script = [&](const std::string& program, const std::string& input = "") {
    return service + "endpoint {out} name=Speakers default=yes\n" +
           "endpoint {mic} flow=capture name=Headset default=yes " + input +
           "\nprogram wc_game.exe tone=440 " + program;
  };
  FakeAudio windows(script("session=none"));
  const PlayedProgram game("wc_game.exe");
  WasapiCapture capture(options);
  REQUIRE(capture.wait_until_running(20s));

  using Check = std::function<bool(const StreamView&)>;
  const auto shows = [&](const std::string& kind, const Check& check) {
    return std::ranges::any_of(
        capture.streams(), [&](const StreamView& one) { return one.kind == kind && check(one); });
  };
  const Check anything = [](const StreamView&) { return true; };
  CHECK_FALSE(shows("playback", anything));
  CHECK(shows("input", anything));

  const auto change = [](std::string text) { return [text] { FakeAudio::change(text); }; };
  const auto session = [&](const Check& check) {
    return [&, check] { return shows("playback", check); };
  };
  struct Change {
    const char* name;
    std::function<void()> make;
    std::function<bool()> seen;
  };
  const std::vector<Change> changes{
      {"a session", change(script("")), session([](const auto& one) { return one.playing; })},
      {"volume", change(script("volume=0.5")),
       session([](const auto& one) { return one.volume == 0.5; })},
      {"mute", change(script("mute=yes")), session([](const auto& one) { return one.muted; })},
      {"no mute", change(script("")), session([](const auto& one) { return !one.muted; })},
      {"state", change(script("content=nothing")),
       session([](const auto& one) { return !one.playing; })},
      {"an input goes", change(script("content=nothing", "state=unplugged")),
       [&] { return !shows("input", anything); }},
      {"a session ends", [&] { game.end(); }, [&] { return !shows("playback", anything); }},
  };
  std::string unseen;
  for (const Change& one : changes) {
    one.make();
    if (comes_true(one.seen)) continue;
    unseen = one.name;
    break;
  }
  capture.stop();
  clean(windows.end());
  return unseen;
}

}  // namespace

TEST_CASE("gotchas 1 to 5, 13: a client asks for nothing that process loopback lacks, and hears") {
  FakeAudio windows(std::string("program ") + kThisProgram + " tone=440 level=0.25");
  const auto source = std::make_shared<MixedSource>(2, 48000, 48000);
  CaptureClient client(this_program());
  client.attach(source->add_tap());
  REQUIRE(comes_true([&] { return client.packets().packets() > 5; }));
  const HostTime origin = pypac::SystemClock().now() + 50ms;
  source->start(origin);
  REQUIRE(comes_true([&] { return source->packets() > 60; }));
  client.stop();
  CHECK(comes_true([&] { return client.state() == CaptureClient::State::ended; }));
  CHECK(level_at(half_a_second(source, origin), 440) == doctest::Approx(0.25).epsilon(0.02));
  CHECK(client.opened() == 1);
  CHECK(client.failures() == 0);
  const Seen seen = windows.end();
  // The rest of 1 and 3 the double refuses and calls a violation. This it answers, with nonsense.
  CHECK(seen.calls("IAudioClient::GetBufferSize") == 0);
  CHECK(seen.calls("IMMDevice::Activate") == 0);
  CHECK(seen.calls("ActivateAudioInterfaceAsync") == 1);
  clean(seen);
}

TEST_CASE("gotcha 20: a failure that passes is tried again, and cleaned up after") {
  FakeAudio windows(std::string("program ") + kThisProgram + " tone=440\nactivate " + kThisProgram +
                    " first=0 times=2 result=E_UNEXPECTED");
  CaptureClient client(this_program());
  REQUIRE(comes_true([&] { return client.packets().packets() > 0; }));
  CHECK(client.opened() == 1);
  // Gotcha 24: the build and the HRESULT.
  CHECK(client.failure().find("0x8000FFFF, Windows build ") != std::string::npos);
  client.stop();
  clean(windows.end());
}

TEST_CASE("after a failure it is tried again 0.2, 0.5, 1 s later, then every 2 s") {
  constexpr std::array<std::int64_t, 5> kDelays{200, 500, 1000, 2000, 2000};
  std::string script = std::string("program ") + kThisProgram + " tone=440\n";
  SUBCASE("it does not open") {
    script += std::string("activate ") + kThisProgram + " result=E_UNEXPECTED";
  }
  SUBCASE("it opens, and breaks off with the first packet") {
    script += std::string("fail ") + kThisProgram +
              " method=IAudioCaptureClient::GetBuffer times=forever result=DEVICE_INVALIDATED";
  }
  FakeAudio windows(script);
  CaptureClient client(this_program());
  REQUIRE(comes_true([&] { return client.failures() > kDelays.size(); }));
  client.stop();
  const Seen seen = windows.end();
  const std::vector<std::string> attempts = seen.of("activate");
  REQUIRE(attempts.size() > kDelays.size());
  const auto time_ms = [&](std::size_t i) { return std::stoll(Seen::value(attempts[i], "ms")); };
  for (std::size_t i = 0; i < kDelays.size(); ++i) {
    CAPTURE(i);
    CHECK(time_ms(i + 1) - time_ms(i) >= kDelays[i]);
  }
  clean(seen);
}

TEST_CASE("gotcha 21: a process ID that is another's by now, or nobody's, is not captured") {
  FakeAudio windows("program * tone=440");
  CaptureTarget another = this_program();
  --another.start_time;
  CaptureTarget nobody;
  {
    const PlayedProgram program("wc_nobody.exe");
    nobody = program.target();
  }
  const auto exists = [](std::int64_t pid) {
    const pypac::Handle process(
        OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, static_cast<DWORD>(pid)));
    return static_cast<bool>(process);
  };
  REQUIRE(comes_true([&] { return !exists(nobody.pid); }));
  for (const CaptureTarget& target : {another, nobody}) {
    CaptureClient client(target);
    REQUIRE(comes_true([&] { return client.failures() >= 2; }));
    CHECK(client.opened() == 0);
    CHECK(client.failure().find("its process ID may be another's (0x80070057") !=
          std::string::npos);
    client.stop();
  }
  const Seen seen = windows.end();
  CHECK(seen.of("activate").empty());
  clean(seen);
}

TEST_CASE("what has been open for a while after a failure is tried again soon") {
  // A hundred packets are a second.
  FakeAudio windows(std::string("program ") + kThisProgram + " tone=440\nactivate " + kThisProgram +
                    " times=2 result=E_UNEXPECTED\nfail " + kThisProgram +
                    " method=IAudioCaptureClient::GetBuffer nth=200 result=DEVICE_INVALIDATED");
  CaptureClient client(this_program());
  REQUIRE(comes_true([&] { return client.failures() == 2; }));
  REQUIRE(comes_true([&] { return client.failures() == 0; }));
  CHECK(comes_true([&] { return client.failures() == 1; }));
  client.stop();
  clean(windows.end());
}

TEST_CASE("a device that goes away is opened anew") {
  FakeAudio windows(std::string("program ") + kThisProgram + " tone=440\nfail " + kThisProgram +
                    " method=IAudioCaptureClient::GetBuffer nth=5 result=DEVICE_INVALIDATED");
  CaptureClient client(this_program());
  CHECK(comes_true([&] { return client.failure_code() != 0; }));
  CHECK(client.failure().find("0x88890004") != std::string::npos);
  client.stop();
  clean(windows.end());
}

TEST_CASE("in no state does a capture wait for anything but its end") {
  const auto programs = played_programs("wc_stopped_", 5);
  for (const fake::StopState& state : fake::stop_states("wc_stopped_*")) {
    CAPTURE(state.name);
    FakeAudio windows(state.script);
    std::vector<double> times = fake::stop_times_ms(state, programs);
    REQUIRE(times.size() == programs.size());
    std::ranges::sort(times);
    // What there would be to wait for lasts 2 s and more. How long it takes, the benchmark tells.
    CHECK(times[times.size() / 2] < 1000);
    CHECK(windows.end().violations().empty());
  }
}

TEST_CASE("captures that Windows holds up in a call are let go together") {
  constexpr std::size_t kPrograms = 16;
  FakeAudio windows(
      "program wc_held_*.exe tone=440\n"
      "fail wc_held_* method=IAudioClient::Start times=forever result=E_FAIL delay_ms=12000");
  const auto programs = played_programs("wc_held_", kPrograms);
  // One after the other they would take longer than Windows holds them up.
  WasapiCapture capture({.stop_time = 1s});
  static_cast<void>(capture.add_source("held", {.patterns = {"wc_held_*"}}));
  REQUIRE(comes_true([&] {
    return capture.source_status("held").streams.size() == kPrograms &&
           capture.source_status("held").state == SourceState::starting;
  }));
  std::this_thread::sleep_for(500ms);
  capture.stop();
  {
    CaptureClient next(this_program());
    CHECK(comes_true([&] { return next.opened() == 1; }));
  }
  std::this_thread::sleep_for(13s);
  const Seen seen = windows.end();
  CHECK(opened_under_held_calls(seen, kThisProgram));
  clean(seen);
}

TEST_CASE("an audio service that hangs is said not to answer, until it does") {
  FakeAudio windows(
      "program wc_game.exe tone=440\n"
      "fail * method=IMMDeviceEnumerator::EnumAudioEndpoints delay_ms=12000");
  const PlayedProgram game("wc_game.exe");
  WasapiCapture capture({});
  static_cast<void>(capture.add_source("game", {.patterns = {"wc_game.exe"}}));
  CHECK_FALSE(capture.wait_until_running(200ms));
  const pypac::WasapiServer server = capture.server_info();
  CHECK_FALSE(server.connected);
  CHECK(server.failure.find("does not answer (no reply yet, Windows build ") != std::string::npos);
  CHECK(capture.preview({pypac::Selector{.patterns = {"wc_game.exe"}}}).front().state ==
        SourceState::backend_lost);
  CHECK(
      comes_true([&] { return capture.source_status("game").state == SourceState::backend_lost; }));
  CHECK(comes_true([&] { return capture.source_status("game").state == SourceState::capturing; }));
  CHECK(capture.server_info().connected);
  capture.stop();
  clean(windows.end());
}

TEST_CASE("captures of programs that have ended, held up in a call, are let go together") {
  constexpr std::size_t kPrograms = 16;
  FakeAudio windows(
      "program wc_gone_*.exe tone=440\nprogram wc_next.exe tone=440\n"
      "fail wc_gone_* method=IAudioClient::Start times=forever result=E_FAIL delay_ms=12000");
  const PlayedProgram next("wc_next.exe");
  const auto programs = played_programs("wc_gone_", kPrograms);
  // One after the other they would take longer than Windows holds them up.
  WasapiCapture capture({.stop_time = 1s});
  static_cast<void>(capture.add_source("gone", {.patterns = {"wc_gone_*"}}));
  REQUIRE(comes_true([&] {
    return capture.source_status("gone").streams.size() == kPrograms &&
           capture.source_status("gone").state == SourceState::starting;
  }));
  std::this_thread::sleep_for(500ms);
  for (const auto& program : programs) program->end();
  REQUIRE(
      comes_true([&] { return capture.source_status("gone").state == SourceState::not_running; }));
  // Who comes next is bound once they have been let go.
  static_cast<void>(capture.add_source("next", {.patterns = {"wc_next.exe"}}));
  CHECK(
      comes_true([&] { return capture.source_status("next").state != SourceState::not_running; }));
  capture.stop();
  std::this_thread::sleep_for(13s);
  const Seen seen = windows.end();
  CHECK(opened_under_held_calls(seen, "wc_next.exe"));
  clean(seen);
}

TEST_CASE("sixteen programs are captured without an allocation on their threads") {
  constexpr std::size_t kPrograms = 16;
  FakeAudio windows("program wc_one_of_*.exe tone=440");
  const auto programs = played_programs("wc_one_of_", kPrograms);
  std::vector<std::unique_ptr<CaptureClient>> clients;
  std::vector<std::shared_ptr<MixedSource>> sources;
  for (std::size_t i = 0; i < kPrograms; ++i) {
    sources.push_back(std::make_shared<MixedSource>(2, 48000, 48000));
    clients.push_back(std::make_unique<CaptureClient>(programs[i]->target()));
    clients.back()->attach(sources.back()->add_tap());
    sources.back()->start(pypac::SystemClock().now());
  }
  const auto all_have = [&](std::uint64_t packets) {
    return comes_true([&] {
      return std::all_of(clients.begin(), clients.end(), [&](const auto& client) {
        return client->packets().packets() >= packets;
      });
    });
  };
  REQUIRE(all_have(10));
  const std::size_t before = pypac::test::realtime_allocations();
  REQUIRE(all_have(110));
  CHECK(pypac::test::realtime_allocations() == before);
  for (const auto& source : sources) CHECK(source->packets() >= 100);
  for (const auto& client : clients) CHECK(client->realtime());
  clients.clear();
  clean(windows.end());
}

TEST_CASE("no handle is left, in whatever state a client is stopped") {
  const std::array<std::string, 6> states{
      "",
      "\nactivate * when=never",
      "\nactivate * when=later delay_ms=50",
      "\nactivate * result=E_UNEXPECTED",
      "\nfail * method=IAudioClient::Start times=1000 result=E_FAIL",
      "\nfail * method=IAudioCaptureClient::GetBuffer nth=3 result=DEVICE_INVALIDATED",
  };
  for (const std::string& state : states) {
    CAPTURE(state);
    FakeAudio windows(std::string("program ") + kThisProgram + " tone=440" + state);
    const auto open_and_stop = [&](std::chrono::milliseconds after) {
      CaptureClient client(this_program());
      std::this_thread::sleep_for(after);
      client.stop();
    };
    const auto all_moments = [&] {
      for (const auto after : {0ms, 5ms, 30ms, 100ms, 300ms}) open_and_stop(after);
    };
    all_moments();  // what the system opens once stays
    const int before = handles();
    REQUIRE(before > 0);
    constexpr int kRounds = 4;
    for (int round = 0; round < kRounds; ++round) all_moments();
    int after_all = handles();
    for (int i = 0; i < 100 && after_all > before; ++i) {  // Windows' own threads end later
      std::this_thread::sleep_for(20ms);
      after_all = handles();
    }
    CHECK(after_all - before < kRounds);  // the system may still open one of its own
    clean(windows.end());
  }
}

TEST_CASE("two programs are captured apart, and one that ends is taken up when it comes back") {
  FakeAudio windows(
      "program wc_game.exe tone=440 level=0.25\nprogram wc_voice.exe tone=1000 level=0.125");
  WasapiCapture capture({});
  const auto game = capture.add_source("game", {.patterns = {"wc_game.exe"}});
  const auto voice = capture.add_source("voice", {.patterns = {"wc_voice"}});
  REQUIRE(capture.wait_until_running(20s));
  CHECK(capture.source_status("game").state == SourceState::not_running);

  const PlayedProgram playing_voice("wc_voice.exe");
  {
    const PlayedProgram playing_game("wc_game.exe");
    const auto captures = [&](const char* name) {
      return comes_true(
          [&] { return capture.source_status(name).state == SourceState::capturing; });
    };
    REQUIRE(captures("game"));
    REQUIRE(captures("voice"));
    const HostTime origin = pypac::SystemClock().now() + 50ms;
    game->start(origin);
    voice->start(origin);
    REQUIRE(comes_true([&] {
      return capture.source_status("game").packets > 60 &&
             capture.source_status("voice").packets > 60;
    }));
    const std::vector<float> game_sound = half_a_second(game, origin);
    const std::vector<float> voice_sound = half_a_second(voice, origin);
    CHECK(level_at(game_sound, 440) == doctest::Approx(0.25).epsilon(0.02));
    CHECK(level_at(game_sound, 1000) < 0.001);
    CHECK(level_at(voice_sound, 1000) == doctest::Approx(0.125).epsilon(0.02));
    CHECK(level_at(voice_sound, 440) < 0.001);
  }
  CHECK(
      comes_true([&] { return capture.source_status("game").state == SourceState::not_running; }));
  const PlayedProgram again("wc_game.exe");
  const std::uint64_t packets = capture.source_status("game").packets;
  CHECK(comes_true([&] { return capture.source_status("game").packets > packets; }));
  capture.stop();
  clean(windows.end());
}

TEST_CASE("a source that stays loses no frame while others come and go") {
  FakeAudio windows("program wc_game.exe content=numbers\nprogram wc_voice.exe tone=1000");
  const PlayedProgram game("wc_game.exe");
  const PlayedProgram voice("wc_voice.exe");
  WasapiCapture capture({});
  const auto captures = [&](const char* name) {
    return comes_true([&] { return capture.source_status(name).state == SourceState::capturing; });
  };
  const auto stays = capture.add_source("stays", {.patterns = {"wc_game.exe"}});
  REQUIRE(captures("stays"));
  const HostTime origin = pypac::SystemClock().now();
  NumbersHeard heard(stays, origin);
  REQUIRE(comes_true([&] {
    heard.play();
    return heard.heard() > 0;
  }));
  std::shared_ptr<Source> removed;
  for (int round = 0; round < 50; ++round) {
    // In turn what nobody else captures, and a second tap of the client of the one that stays.
    const char* const wanted = round % 2 == 0 ? "wc_voice.exe" : "wc_game.exe";
    removed = capture.add_source("guest", {.patterns = {wanted}});
    CHECK_THROWS_WITH_AS(static_cast<void>(capture.add_source("guest", {.patterns = {wanted}})),
                         "there is a source guest already", pypac::Failure);
    removed->start(origin);
    REQUIRE(captures("guest"));
    CHECK(comes_true([&] { return capture.source_status("guest").packets > 0; }));
    heard.play();
    capture.remove_source("guest");
    CHECK_THROWS_WITH_AS(static_cast<void>(capture.source_status("guest")),
                         "there is no source guest", pypac::Failure);
    if (round % 10 == 0) CHECK(comes_true([&] { return capture.server_info().clients == 1; }));
  }
  CHECK_THROWS_AS(capture.remove_source("guest"), pypac::Failure);
  heard.play();
  CHECK(heard.heard() > 24000);
  CHECK(heard.wrong() == 0);
  // What has been removed stays valid, and gives nothing.
  NumbersHeard gone(removed, pypac::SystemClock().now());
  std::this_thread::sleep_for(500ms);
  gone.play();
  CHECK(gone.silent());
  capture.remove_source("stays");
  CHECK(comes_true([&] { return capture.server_info().clients == 0; }));
  capture.stop();
  clean(windows.end());
}

TEST_CASE("gotcha 14: no second capture of a program beside one that Windows holds up") {
  constexpr std::int64_t kHeldMs = 1500;
  FakeAudio windows(
      "program wc_game.exe tone=440\n"
      "fail wc_game.exe method=IAudioClient::Start result=S_OK delay_ms=" +
      std::to_string(kHeldMs));
  const PlayedProgram game("wc_game.exe");
  WasapiCapture capture({});
  const auto is = [&](SourceState state) {
    return comes_true([&] { return capture.source_status("game").state == state; });
  };
  static_cast<void>(capture.add_source("game", {.patterns = {"wc_game.exe"}}));
  REQUIRE(is(SourceState::starting));
  std::this_thread::sleep_for(200ms);  // it is in that call by now
  capture.remove_source("game");
  std::this_thread::sleep_for(400ms);  // and has been let go of
  static_cast<void>(capture.add_source("game", {.patterns = {"wc_game.exe"}}));
  CHECK(is(SourceState::starting));
  CHECK(is(SourceState::capturing));
  capture.stop();
  const Seen seen = windows.end();
  const std::vector<std::string> attempts = seen.of("activate");
  REQUIRE(attempts.size() == 2);
  const auto time_ms = [&](std::size_t i) { return std::stoll(Seen::value(attempts[i], "ms")); };
  CHECK(time_ms(1) - time_ms(0) >= kHeldMs);
  clean(seen);
}

TEST_CASE("gotcha 17: this process is never captured, also not by its own name") {
  FakeAudio windows(std::string("program ") + kThisProgram + " tone=440");
  WasapiCapture capture({});
  static_cast<void>(capture.add_source("own", {.patterns = {kThisProgram}}));
  REQUIRE(capture.wait_until_running(20s));
  CHECK(capture.source_status("own").state != SourceState::capturing);
  CHECK(capture.server_info().clients == 0);
  capture.stop();
  const Seen seen = windows.end();
  CHECK(seen.of("activate").empty());
  clean(seen);
}

TEST_CASE("gotcha 22: of other processes is asked who they are and when they end, and no more") {
  FakeAudio windows("program wc_game.exe tone=440");
  const OpenProcessSpy spy;
  WasapiCapture capture({});
  static_cast<void>(capture.add_source("game", {.patterns = {"wc_game.exe"}}));
  pypac::Selector rest{.kind = pypac::SelectorKind::everything_except};
  rest.except_sources = {{.patterns = {"wc_game.exe"}}};
  static_cast<void>(capture.add_source("rest", rest));
  const PlayedProgram game("wc_game.exe");
  CHECK(comes_true([&] { return capture.source_status("game").state == SourceState::capturing; }));
  static_cast<void>(capture.streams());
  static_cast<void>(capture.preview({pypac::Selector{.patterns = {"wc_*"}}}));
  game.end();
  CHECK(
      comes_true([&] { return capture.source_status("game").state == SourceState::not_running; }));
  capture.stop();
  CHECK(OpenProcessSpy::asked() == (PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE));
  clean(windows.end());
}

TEST_CASE("gotcha 22: a program that nobody may open is captured, alone, until it ends") {
  FakeAudio windows(
      "program wc_game.exe tone=440 level=0.25\nprogram wc_voice.exe tone=1000 level=0.125");
  const OpenProcessSpy spy;
  const PlayedProgram game("wc_game.exe");
  const PlayedProgram voice("wc_voice.exe");
  const std::uint64_t started = pypac::read_process(game.pid())->start_time;
  REQUIRE(started != 0);
  OpenProcessSpy::refuse(game.pid());
  // When it was started the system tells of everybody: PIDs are used again.
  CHECK(pypac::read_process(game.pid())->start_time == started);
  WasapiCapture capture({});
  const auto source = capture.add_source("game", {.patterns = {"wc_game.exe"}});
  REQUIRE(
      comes_true([&] { return capture.source_status("game").state == SourceState::capturing; }));
  const HostTime origin = pypac::SystemClock().now() + 50ms;
  source->start(origin);
  REQUIRE(comes_true([&] { return capture.source_status("game").packets > 150; }));
  const std::vector<float> sound = half_a_second(source, origin);
  CHECK(level_at(sound, 440) == doctest::Approx(0.25).epsilon(0.02));
  CHECK(level_at(sound, 1000) < 0.001);
  game.end();
  CHECK(
      comes_true([&] { return capture.source_status("game").state == SourceState::not_running; }));
  capture.stop();
  clean(windows.end());
}

TEST_CASE("a program of which nobody tells when it was started is not captured") {
  // It could be another one under the same process ID.
  FakeAudio windows("program wc_game.exe tone=440\nprogram wc_voice.exe tone=1000");
  const OpenProcessSpy spy;
  const PlayedProgram game("wc_game.exe");
  const PlayedProgram voice("wc_voice.exe");
  OpenProcessSpy::refuse(game.pid());
  WasapiCapture capture({});
  static_cast<void>(capture.add_source("game", {.patterns = {"wc_game.exe"}}));
  {
    const NoStartTimes nobody_tells;
    CHECK(pypac::read_process(game.pid())->start_time == 0);
    static_cast<void>(capture.add_source("voice", {.patterns = {"wc_voice.exe"}}));
    CHECK(comes_true([&] { return capture.source_status("game").state == SourceState::refused; }));
    const std::string reason = capture.source_status("game").reason;
    CAPTURE(reason);
    CHECK(reason.find("when wc_game.exe was started") != std::string::npos);
    CHECK(
        comes_true([&] { return capture.source_status("voice").state == SourceState::capturing; }));
    CHECK(capture.server_info().clients == 1);
  }
  CHECK(comes_true([&] { return capture.source_status("game").state == SourceState::capturing; }));
  capture.stop();
  clean(windows.end());
}

TEST_CASE("the whole system leaves out what this program has started, and says so") {
  FakeAudio windows("program wc_game.exe tone=440");
  const PlayedProgram game("wc_game.exe");
  WasapiCapture capture({});
  static_cast<void>(capture.add_source("all", {.kind = pypac::SelectorKind::system}));
  CHECK(comes_true([&] {
    const pypac::SourceStatus status = capture.source_status("all");
    return status.state == SourceState::no_stream &&
           status.reason.find("wc_game.exe is left out: ") != std::string::npos;
  }));
  game.end();
  CHECK(comes_true(
      [&] { return capture.source_status("all").reason.find("left out") == std::string::npos; }));
  capture.stop();
  clean(windows.end());
}

TEST_CASE("gotchas 12 and 15: who hides from capture, and who is muted, is told apart") {
  FakeAudio windows(
      "program wc_hidden.exe tone=440 hidden=yes\nprogram wc_muted.exe tone=440 mute=yes");
  WasapiCapture capture({});
  static_cast<void>(capture.add_source("hidden", {.patterns = {"wc_hidden.exe"}}));
  static_cast<void>(capture.add_source("muted", {.patterns = {"wc_muted.exe"}}));
  const PlayedProgram hidden("wc_hidden.exe");
  const PlayedProgram muted("wc_muted.exe");
  CHECK(
      comes_true([&] { return capture.source_status("hidden").state == SourceState::blind_tap; }));
  CHECK(comes_true([&] { return capture.source_status("muted").state == SourceState::muted; }));
  capture.stop();
  clean(windows.end());
}

TEST_CASE("what Windows tells of sessions and inputs is seen without looking for it") {
  // Longer than a test waits.
  CHECK(unseen_change({.look_every = 1h}, "") == "");
}

TEST_CASE("what Windows does not tell of sessions and inputs is seen all the same") {
  CHECK(unseen_change({}, "service notifies=no\n") == "");
}

TEST_CASE("a session manager that died, with the audio service or its device, is made again") {
  const std::string script = "program wc_game.exe tone=440\nprogram wc_voice.exe tone=1000 ";
  for (const char* const of :
       {"DEVICE_INVALIDATED", "RESOURCES_INVALIDATED", "SERVER_UNAVAILABLE"}) {
    CAPTURE(of);
    FakeAudio windows(script);
    const PlayedProgram game("wc_game.exe");
    WasapiCapture capture({});
    const auto shown = [&](const std::function<bool(const StreamView&)>& check) {
      return std::ranges::count_if(capture.streams(), [&](const StreamView& one) {
        return one.kind == "playback" && check(one);
      });
    };
    const auto sessions = [&](std::ptrdiff_t count) {
      return comes_true([&] { return shown([](const auto&) { return true; }) == count; });
    };
    REQUIRE(sessions(1));
    FakeAudio::change(script +
                      "\nfail * method=IAudioSessionManager2::GetSessionEnumerator times=forever "
                      "result=" +
                      of);
    CHECK(sessions(0));
    FakeAudio::change(script);
    CHECK(sessions(1));
    // Windows tells of the new one's, too.
    const PlayedProgram voice("wc_voice.exe");
    CHECK(sessions(2));
    FakeAudio::change(script + "mute=yes");
    CHECK(comes_true([&] { return shown([](const auto& one) { return one.muted; }) == 1; }));
    capture.stop();
    clean(windows.end());
  }
}

TEST_CASE("everything but some is each other program that plays, and none that is left out") {
  FakeAudio windows(
      "program wc_left_out.exe tone=440 level=0.25\nprogram wc_music.exe tone=1000 level=0.125\n"
      "program wc_news.exe tone=1500 level=0.125");
  WasapiCapture capture({});
  pypac::Selector rest{.kind = pypac::SelectorKind::everything_except};
  rest.except_sources = {{.patterns = {"wc_left_out.exe"}}};
  const auto source = capture.add_source("rest", rest);
  const PlayedProgram left_out("wc_left_out.exe");
  const PlayedProgram music("wc_music.exe");
  const PlayedProgram news("wc_news.exe");
  REQUIRE(comes_true([&] { return capture.server_info().clients == 2; }));
  std::this_thread::sleep_for(200ms);
  const HostTime origin = pypac::SystemClock().now() + 50ms;
  source->start(origin);
  REQUIRE(comes_true([&] { return capture.source_status("rest").packets > 120; }));
  const std::vector<float> sound = half_a_second(source, origin);
  CHECK(level_at(sound, 1000) == doctest::Approx(0.125).epsilon(0.02));
  CHECK(level_at(sound, 1500) == doctest::Approx(0.125).epsilon(0.02));
  CHECK(level_at(sound, 440) < 0.001);
  capture.stop();
  clean(windows.end());
}

TEST_CASE("of inputs without a place a source takes the first by default, and that is told") {
  FakeAudio windows(
      "endpoint {mic} flow=capture name=Scarlett default=yes content=numbers channels=4 placed=no");
  WasapiCapture capture({});
  const pypac::Selector any{.kind = pypac::SelectorKind::device, .patterns = {"default"}};
  const auto source = capture.add_source("mic", any);
  REQUIRE(comes_true([&] { return capture.source_status("mic").state == SourceState::capturing; }));
  const pypac::SourceStatus told = capture.preview({any}).front();
  REQUIRE(told.streams.size() == 1);
  CHECK(told.streams[0].inputs == 4);
  CHECK(told.streams[0].taken == std::vector<std::uint32_t>{1});
  const HostTime origin = pypac::SystemClock().now() + 50ms;
  source->start(origin);
  REQUIRE(comes_true([&] { return capture.source_status("mic").packets > 60; }));
  Ledger ledger;
  SourceNode node("source", ledger.open_account(), source, 48000, kBlock);
  std::size_t heard = 0;
  for (pypac::Frames begin = 0; begin < 24000; begin += kBlock) {
    const pypac::ScopedThreadRole role(pypac::ThreadRole::pump);
    node.process(begin, kBlock, origin, ledger);
    for (std::uint32_t i = 0; i < kBlock; ++i) {
      const float left = node.block().channels()[0][i];
      REQUIRE(node.block().channels()[1][i] == left);
      heard += left > 0 ? 1 : 0;
    }
  }
  CHECK(heard > 12000);
  capture.stop();
  clean(windows.end());
}

TEST_CASE("of an interface's inputs a source takes those that it names") {
  // The double's odd channels have the numbers of the even ones, negated.
  FakeAudio windows(
      "endpoint {mic} flow=capture name=Scarlett default=yes content=numbers channels=4");
  WasapiCapture capture({});
  const auto add = [&](const char* name, std::vector<std::uint32_t> channels) {
    return capture.add_source(name, {.kind = pypac::SelectorKind::device,
                                     .patterns = {"Scarlett"},
                                     .channels = std::move(channels)});
  };
  const auto second = add("second", {2});
  const auto last_two = add("last two", {4, 3});
  static_cast<void>(add("none", {5}));
  REQUIRE(comes_true([&] {
    return capture.source_status("second").state == SourceState::capturing &&
           capture.source_status("last two").state == SourceState::capturing;
  }));
  const HostTime origin = pypac::SystemClock().now() + 50ms;
  second->start(origin);
  last_two->start(origin);
  REQUIRE(comes_true([&] {
    return capture.source_status("second").packets > 60 &&
           capture.source_status("last two").packets > 60;
  }));
  for (const auto& [source, right_sign] : {std::pair(second, -1.0F), std::pair(last_two, 1.0F)}) {
    const pypac::ScopedThreadRole role(pypac::ThreadRole::pump);
    Ledger ledger;
    SourceNode node("source", ledger.open_account(), source, 48000, kBlock);
    std::size_t heard = 0;
    for (pypac::Frames begin = 0; begin < 24000; begin += kBlock) {
      node.process(begin, kBlock, origin, ledger);
      for (std::uint32_t i = 0; i < kBlock; ++i) {
        const float left = node.block().channels()[0][i];
        const float right = node.block().channels()[1][i];
        if (left == 0) continue;
        ++heard;
        REQUIRE(left < 0);
        REQUIRE(right == -right_sign * left);
      }
    }
    CHECK(heard > 12000);
  }
  CHECK(capture.source_status("none").streams.at(0).inputs == 4);
  CHECK(capture.source_status("none").streams.at(0).taken == std::vector<std::uint32_t>{5});
  CHECK(comes_true([&] { return capture.source_status("none").state == SourceState::stalled; }));
  CHECK(capture.source_status("none").reason.find("no input of the number") != std::string::npos);
  capture.stop();
  clean(windows.end());
}

TEST_CASE("the default microphone is a source") {
  FakeAudio windows("endpoint {mic} flow=capture name=Headset default=yes content=tone tone=300");
  WasapiCapture capture({});
  static_cast<void>(
      capture.add_source("mic", {.kind = pypac::SelectorKind::device, .patterns = {"default"}}));
  CHECK(comes_true([&] { return capture.source_status("mic").state == SourceState::capturing; }));
  CHECK(capture.server_info().default_source == "Headset");
  capture.stop();
  clean(windows.end());
}
