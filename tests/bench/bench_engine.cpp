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
#include <string>
#include <string_view>
#include <vector>

#include "capture/synthetic/synthetic_source.hpp"
#include "core/host_clock.hpp"
#include "engine/engine.hpp"
#include "filters/builtin_filters.hpp"

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
  Engine engine({kRate, 480, 1920}, builtin_filters(), manual);
  SyntheticSignal signal;
  signal.kind = SyntheticSignal::Kind::numbered;
  signal.skew_ppm = argc > 3 ? std::atof(argv[3]) : 0;
  std::vector<SourceSpec> specs;
  std::vector<TrackSpec> tracks;
  std::vector<std::string> ids;
  for (int i = 0; i < sources; ++i) {
    ids.push_back(std::to_string(i));
    specs.push_back({ids.back(), std::make_shared<SyntheticSource>(signal, kRate, 2, 9600)});
    tracks.push_back({.id = ids.back(), .sends = {{ids.back()}}, .filters = {}});
  }
  engine.apply(specs, tracks);
  std::shared_ptr<ReaderRing> ring;
  if (argc > 4 && std::string_view(argv[4]) == "output") {
    const std::vector<std::uint32_t> channels = engine.channels_of(ids);
    ring = std::make_shared<ReaderRing>(channels, 480, 4 * kRate);  // four seconds, as files have
    engine.add_sink("files", ring, ids);
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
