// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "capture/synthetic/synthetic_source.hpp"
#include "engine/engine.hpp"
#include "sinks/reader_ring.hpp"

namespace pypac::test {

using namespace std::chrono_literals;

inline constexpr std::uint32_t kRate = 48000;

inline std::shared_ptr<Source> synthetic(const SyntheticSignal& signal) {
  return std::make_shared<SyntheticSource>(signal, kRate, 2, kRate);
}

inline SyntheticSignal numbered() {
  SyntheticSignal signal;
  signal.kind = SyntheticSignal::Kind::numbered;
  return signal;
}

inline std::int64_t number_of(float sample) {
  return std::llround(sample * 16777216.0F);
}

/// Takes all that a ring gives, with its own thread, as an output does.
struct Collector {
  explicit Collector(std::shared_ptr<ReaderRing> taken) : ring(std::move(taken)) {
    thread = std::thread([this] {
      while (!ring->finished()) {
        if (!ring->wait(480, 100ms)) continue;
        const ReaderRing::Run run = ring->peek(4800);
        for (std::size_t track = 0; track < ring->track_count(); ++track) {
          const float* const samples = ring->samples(track, run);
          const std::uint32_t channels = ring->channels(track);
          if (tracks.size() <= track) tracks.emplace_back();
          for (std::uint32_t i = 0; i < run.frames; ++i)
            tracks[track].push_back(samples[std::size_t{i} * channels]);
        }
        if (run.frames) starts.push_back(run.start);
        ring->release(run.frames);
      }
    });
  }
  void join() { thread.join(); }

  std::shared_ptr<ReaderRing> ring;
  std::vector<std::vector<float>> tracks;  // first channel of each
  std::vector<Frames> starts;
  std::thread thread;
};

inline std::vector<Incident> incidents_of(Engine& engine) {
  std::vector<Incident> incidents;
  while (const auto incident = engine.ledger().pop()) incidents.push_back(*incident);
  return incidents;
}

/// A new output for these tracks.
inline std::shared_ptr<ReaderRing> add_ring(Engine& engine, const std::vector<std::string>& tracks,
                                            std::uint32_t capacity_frames = 48000,
                                            const std::string& id = "output") {
  auto ring = std::make_shared<ReaderRing>(engine.channels_of(tracks),
                                           engine.options().block_frames, capacity_frames);
  engine.add_sink(id, ring, tracks);
  return ring;
}

/// A track of these sources.
inline TrackSpec track(const std::string& id, std::vector<SendSpec> sends,
                       std::uint32_t channels = 2, std::vector<FilterSpec> filters = {}) {
  return {.id = id, .channels = channels, .sends = std::move(sends), .filters = std::move(filters)};
}

}  // namespace pypac::test
