// SPDX-License-Identifier: MIT
// How many times faster than real time the engine alone is: N numbered stereo sources into N stereo
// tracks with meters. Nobody takes the tracks; with "output" all of them also go into the ring of
// one output, which lets go of them unread once a second.
//   bench_engine SOURCES SECONDS [SKEW_PPM [output]]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <numeric>
#include <string_view>
#include <vector>

#include "capture/synthetic/synthetic_source.hpp"
#include "core/host_clock.hpp"
#include "engine/engine.hpp"

int main(int argc, char** argv) {
  using namespace pypac;
  if (argc < 3) {
    std::fprintf(stderr, "usage: bench_engine SOURCES SECONDS [SKEW_PPM [output]]\n");
    return 2;
  }
  const int sources = std::atoi(argv[1]);
  const int seconds = std::atoi(argv[2]);
  constexpr std::uint32_t kRate = 48000;
  ManualClock manual;
  Engine engine({kRate, 480, 1920}, manual);
  SyntheticSignal signal;
  signal.kind = SyntheticSignal::Kind::numbered;
  signal.skew_ppm = argc > 3 ? std::atof(argv[3]) : 0;
  for (int i = 0; i < sources; ++i) {
    engine.add_source("source", std::make_shared<SyntheticSource>(signal, kRate, 2, 9600));
    engine.add_track("track", 2, {{static_cast<std::size_t>(i), 1.0F}}, {});
  }
  std::shared_ptr<ReaderRing> ring;
  if (argc > 4 && std::string_view(argv[4]) == "output") {
    std::vector<std::size_t> tracks(static_cast<std::size_t>(sources));
    std::iota(tracks.begin(), tracks.end(), 0);
    std::uint32_t subject = 0;
    ring = engine.add_output(tracks, 4 * kRate, subject);  // four seconds, as files have
  }
  const SystemClock clock;
  const HostTime begin = clock.now();
  const std::clock_t cpu_begin = std::clock();
  for (int second = 0; second < seconds; ++second) {
    engine.run_offline(kRate);
    while (ring && ring->available() > 0) ring->release(ring->peek(kRate).frames);
  }
  const double cpu = static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC;
  const double elapsed = std::chrono::duration<double>(clock.now() - begin).count();
  engine.finish_offline();
  std::printf("{\"sources\": %d, \"audio_s\": %d, \"elapsed_s\": %.4f, \"cpu_s\": %.4f}\n", sources,
              seconds, elapsed, cpu);
  return 0;
}
