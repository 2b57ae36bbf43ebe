// SPDX-License-Identifier: MIT
// Sixteen captures of Windows' audio service, be it the double's: how long a packet takes into its
// ring, and how long captures take to end. tests/bench/windows_capture.py drives it by lines:
//   bench_wasapi_capture CAPTURES    says "idle"; any line: captures and says "capturing"; any
//                                    line: ends, measures the stops and says all in a line of JSON
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "capture/mixed_source.hpp"
#include "capture/wasapi/capture_client.hpp"
#include "core/host_clock.hpp"
#include "core/thread_role.hpp"
#include "engine/source_node.hpp"
#include "fake_audio.hpp"
#include "played_program.hpp"
#include "stop_states.hpp"
#include "timeline/ledger.hpp"

namespace {

using namespace std::chrono_literals;
using pypac::CaptureClient;
using pypac::Frames;
using pypac::HostTime;
using pypac::MixedSource;
using pypac::SourceNode;

constexpr std::uint32_t kRate = 48000;
constexpr std::uint32_t kBlock = 480;
constexpr HostTime kLatency = 100ms;

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void wait_for_line() {
  std::string line;
  std::getline(std::cin, line);
}

/// Takes what the captures bring, as the pump does, until a line comes: a full ring would be
/// quicker to write to. On the thread that is there already: new ones are taken for captures.
class Taker {
 public:
  Taker(const std::vector<std::shared_ptr<MixedSource>>& sources, HostTime origin)
      : origin_(origin) {
    for (const auto& source : sources) {
      nodes_.push_back(
          std::make_unique<SourceNode>("source", ledger_.open_account(), source, kRate, kBlock));
    }
  }

  void run(const std::atomic<bool>& stopping) {
    const pypac::ScopedThreadRole role(pypac::ThreadRole::pump);
    pypac::SystemClock clock;
    while (!stopping) {
      const auto due = std::chrono::nanoseconds((taken_ + kBlock) * 1'000'000'000 / kRate);
      clock.sleep_until(origin_ + due + kLatency);
      for (const auto& node : nodes_) node->process(taken_, kBlock, origin_, ledger_);
      taken_ += kBlock;
    }
  }

  /// Of the source that has most of them.
  [[nodiscard]] Frames missing() const {
    Frames most = 0;
    for (const auto& node : nodes_) most = std::max(most, taken_ - node->captured_frames());
    return most;
  }

 private:
  HostTime origin_;
  pypac::Ledger ledger_;
  std::vector<std::unique_ptr<SourceNode>> nodes_;
  Frames taken_ = 0;
};

std::string listed(const std::vector<double>& numbers) {
  std::string text;
  for (const double number : numbers) {
    std::array<char, 32> one{};
    std::snprintf(one.data(), one.size(), "%s%.4f", text.empty() ? "" : ", ", number);
    text += one.data();
  }
  return "[" + text + "]";
}

/// The handovers in ms, ascending, and the frames that are missing; as members of a JSON object.
std::string capture(const fake::PlayedPrograms& programs) {
  std::vector<std::shared_ptr<MixedSource>> sources;
  std::vector<std::unique_ptr<CaptureClient>> clients;
  for (const auto& program : programs) {
    sources.push_back(std::make_shared<MixedSource>(2, kRate, kRate));
    clients.push_back(std::make_unique<CaptureClient>(program->target()));
    clients.back()->attach(sources.back()->add_tap());
  }
  const bool all = fake::comes_true([&] {
    return std::ranges::all_of(clients,
                               [](const auto& one) { return one->packets().packets() >= 20; });
  });
  if (!all) throw std::runtime_error("not all captures hear");
  const HostTime origin = pypac::SystemClock().now() + 50ms;
  for (const auto& source : sources) source->start(origin);
  Taker taker(sources, origin);
  std::atomic<bool> stopping{false};
  std::thread listener([&] {
    std::this_thread::sleep_for(200ms);
    static_cast<void>(fake::FakeAudio::handovers());  // what was before is not counted
    say("capturing");
    wait_for_line();
    stopping = true;
  });
  taker.run(stopping);
  listener.join();
  std::vector<double> handovers;
  for (const auto took : fake::FakeAudio::handovers())
    handovers.push_back(std::chrono::duration<double, std::milli>(took).count());
  std::ranges::sort(handovers);
  const auto realtime =
      std::ranges::count_if(clients, [](const auto& one) { return one->realtime(); });
  return "\"handover_ms\": " + listed(handovers) +
         ", \"missing_frames\": " + std::to_string(taker.missing()) +
         ", \"realtime\": " + std::to_string(realtime);
}

int run(std::size_t captures) {
  const auto programs = fake::played_programs("bench_wc_", captures);
  std::string result;
  {
    fake::FakeAudio windows("program bench_wc_* content=numbers");
    std::this_thread::sleep_for(1s);
    say("idle");
    wait_for_line();
    result = "{" + capture(programs);
    const fake::Seen seen = windows.end();
    result += ", \"violations\": " + std::to_string(seen.violations().size());
  }
  result += ", \"stop_ms\": {";
  bool first = true;
  for (const fake::StopState& state : fake::stop_states("bench_wc_*")) {
    fake::FakeAudio windows(state.script);
    const std::vector<double> times = fake::stop_times_ms(state, programs);
    if (times.empty()) throw std::runtime_error("not reached, or not left: " + state.name);
    result += (first ? "\"" : ", \"") + state.name + "\": " + listed(times);
    first = false;
  }
  say(result + "}}");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench_wasapi_capture CAPTURES\n");
    return 2;
  }
  try {
    return run(static_cast<std::size_t>(std::atoi(argv[1])));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_wasapi_capture: %s\n", error.what());
    return 1;
  }
}
