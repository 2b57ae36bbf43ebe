// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/host_clock.hpp"
#include "sinks/shared_tracks.hpp"

namespace pypac::test {

/// A session's stereo tracks, written block by block: sample of frame n is n in the left channel
/// and -n in the right, on every track.
class CountingWriter {
 public:
  static constexpr std::uint32_t kBlock = 480;

  CountingWriter(const std::string& session, std::vector<std::string> tracks,
                 const HostClock& clock, std::uint32_t capacity_frames = 48000)
      : count_(tracks.size()),
        shared_({session, 48000, kBlock, kBlock, capacity_frames}, named(tracks), clock) {}

  void start(HostTime origin) { shared_.start({origin, 48000}); }

  void block() {
    REQUIRE(shared_.begin_block(next_, kBlock));
    std::vector<float> left;
    std::vector<float> right;
    for (std::uint32_t i = 0; i < kBlock; ++i) {
      left.push_back(static_cast<float>(next_ + i));
      right.push_back(-left.back());
    }
    const float* const channels[] = {left.data(), right.data()};
    for (std::size_t track = 0; track < count_; ++track) shared_.write_track(track, channels);
    shared_.commit_block();
    next_ += kBlock;
  }

  void finish() { shared_.finish(); }
  [[nodiscard]] Frames next() const { return next_; }

 private:
  static std::vector<SharedTracks::Track> named(const std::vector<std::string>& names) {
    std::vector<SharedTracks::Track> tracks;
    for (const std::string& name : names) tracks.push_back({name, 2});
    return tracks;
  }

  std::size_t count_;
  SharedTracks shared_;
  Frames next_ = 0;
};

}  // namespace pypac::test
