// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/host_clock.hpp"
#include "sinks/shared_track_reader.hpp"
#include "sinks/shared_tracks.hpp"

namespace pypac::test {

using namespace std::chrono_literals;

// Sample c of frame n of track t is n + c / 4 + t / 2. Exact below 2^21 frames.
inline float sample(Frames frame, std::uint32_t channel, std::size_t track) {
  return static_cast<float>(frame) + 0.25F * static_cast<float>(channel) +
         0.5F * static_cast<float>(track);
}

class Writer {
 public:
  explicit Writer(SharedTracksOptions options = {"stream", 48000, 100, 400, 1000},
                  std::vector<SharedTracks::Track> tracks = {{"game", 2}, {"voice", 1}})
      : clock(5s), tracks_(std::move(tracks)), shared(options, tracks_, clock) {}

  void block(Frames start, std::uint32_t frames) {
    REQUIRE(shared.begin_block(start, frames));
    for (std::size_t track = 0; track < tracks_.size(); ++track) {
      planar_.assign(tracks_[track].channels, std::vector<float>(frames));
      std::vector<const float*> pointers;
      for (std::uint32_t c = 0; c < tracks_[track].channels; ++c) {
        for (std::uint32_t i = 0; i < frames; ++i) planar_[c][i] = sample(start + i, c, track);
        pointers.push_back(planar_[c].data());
      }
      shared.write_track(track, pointers.data());
    }
    shared.commit_block();
  }

  void blocks(Frames from, Frames to) {
    for (Frames start = from; start < to; start += 100) block(start, 100);
  }

  ManualClock clock;

 private:
  std::vector<SharedTracks::Track> tracks_;
  std::vector<std::vector<float>> planar_;

 public:
  SharedTracks shared;
};

/// A reader and the frames it got, checked one by one.
class Listener {
 public:
  explicit Listener(const std::string& track = "game", std::size_t number = 0)
      : reader("stream", track), number_(number), planar_(8, std::vector<float>(5000)) {
    for (std::vector<float>& channel : planar_) pointers_.push_back(channel.data());
  }

  SharedTrackReader::Read read(std::uint32_t max_frames = 5000) {
    const SharedTrackReader::Read read = reader.read(pointers_.data(), max_frames);
    for (std::uint32_t c = 0; c < reader.info().channels; ++c)
      for (std::uint32_t i = 0; i < read.frames; ++i)
        wrong += planar_[c][i] != sample(read.start + i, c, number_);
    return read;
  }

  SharedTrackReader reader;
  int wrong = 0;

 private:
  std::size_t number_;
  std::vector<std::vector<float>> planar_;
  std::vector<float*> pointers_;
};

}  // namespace pypac::test
