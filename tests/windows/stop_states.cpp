// SPDX-License-Identifier: MIT
#include "stop_states.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "core/host_clock.hpp"
#include "fake_audio.hpp"

namespace fake {

using namespace std::chrono_literals;
using pypac::CaptureClient;

namespace {

// From the fourth failure on, a capture waits for 2 s before it tries again.
constexpr std::uint32_t kManyFailures = 4;

bool opens(const CaptureClient& client) {
  return client.state() == CaptureClient::State::opening;
}
bool waits_to_retry(const CaptureClient& client) {
  return client.failures() >= kManyFailures;
}
bool hears(const CaptureClient& client) {
  return client.packets().packets() >= 5;
}

}  // namespace

bool comes_true(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

std::vector<StopState> stop_states(const std::string& programs) {
  const std::string play = "program " + programs + " content=numbers\n";
  const auto activate = [&](const char* how) { return play + "activate " + programs + how; };
  const auto fail = [&](const char* how) { return play + "fail " + programs + how; };
  return {
      {"just made", play, "", [](const CaptureClient&) { return true; }},
      {"slow activation", activate(" delay_ms=3000"), "", opens},
      {"activation that never completes", activate(" when=never"), "", opens},
      {"activation refused, waits to retry", activate(" result=E_UNEXPECTED"), "", waits_to_retry},
      {"start refused, waits to retry",
       fail(" method=IAudioClient::Start times=forever result=E_FAIL"), "", waits_to_retry},
      {"device lost again and again",
       fail(" method=IAudioCaptureClient::GetBuffer nth=3 times=forever result=DEVICE_INVALIDATED"),
       "", [](const CaptureClient& client) { return client.failure_code() != 0; }},
      {"service stopped", play, play + "service running=no", waits_to_retry},
      {"hears", play, "", hears},
  };
}

std::vector<double> stop_times_ms(const StopState& state, const PlayedPrograms& programs) {
  std::vector<std::unique_ptr<CaptureClient>> clients;
  for (const auto& program : programs)
    clients.push_back(std::make_unique<CaptureClient>(program->target()));
  const auto all = [&](const std::function<bool(const CaptureClient&)>& are) {
    return comes_true(
        [&] { return std::ranges::all_of(clients, [&](const auto& one) { return are(*one); }); });
  };
  if (!state.then.empty()) {
    if (!all(hears)) return {};
    FakeAudio::change(state.then);
  }
  if (!all(state.reached)) return {};
  if (state.name != "just made") std::this_thread::sleep_for(100ms);  // well inside of it
  // At once: who is stopped after another has waited longer already for what there is to wait for.
  std::vector<double> times(clients.size());
  std::atomic<bool> ended{true};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    threads.emplace_back([&, i] {
      CaptureClient& client = *clients[i];
      const pypac::HostTime asked = pypac::SystemClock().now();
      client.stop();  // returns when the thread has ended, or when it gives up waiting for that
      if (!comes_true([&] { return client.state() == CaptureClient::State::ended; })) ended = false;
      const std::chrono::duration<double, std::milli> took = pypac::SystemClock().now() - asked;
      times[i] = took.count();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return ended ? times : std::vector<double>{};
}

}  // namespace fake
