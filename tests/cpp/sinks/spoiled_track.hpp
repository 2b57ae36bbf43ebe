// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/host_clock.hpp"
#include "runtime_folder.hpp"
#include "sinks/shared_track_reader.hpp"
#include "sinks/shared_tracks.hpp"
#include "track_memory.hpp"

namespace pypac::test {

using namespace std::chrono_literals;
using State = SharedTrackState;

inline constexpr std::uint32_t kCapacity = 1000;

/// A running track and a reader of it; the tests spoil its memory.
class Spoiled {
 public:
  Spoiled()
      : clock_(5s),
        writer({"stream", 48000, 100, 400, kCapacity}, {{"game", 2}}, clock_),
        path(writer.paths().at(0)),
        reader("stream", "game") {
    writer.start({4s, 48000});
    block(0);
  }

  void block(Frames start) {
    const std::vector<float> samples(100, 0.5F);
    const std::array<const float*, 2> channels = {samples.data(), samples.data()};
    REQUIRE(writer.begin_block(start, 100));
    writer.write_track(0, channels.data());
    writer.commit_block();
  }

  template <typename T>
  void put(std::size_t offset, const T& value) const {
    TrackMemory(path).put(offset, &value, sizeof value);
  }
  template <typename T>
  [[nodiscard]] T get(std::size_t offset) const {
    T value{};
    TrackMemory(path).get(offset, &value, sizeof value);
    return value;
  }
  /// What a reader finds that comes now, and what one finds that was there before.
  [[nodiscard]] State found_by_new() const { return SharedTrackReader("stream", "game").poll(5s); }

  SharedTrackReader::Read read() {
    return reader.read(std::array<float*, 2>{left.data(), right.data()}.data(), 4096);
  }

  std::vector<float> left = std::vector<float>(4096);
  std::vector<float> right = std::vector<float>(4096);

 private:
  RuntimeFolder folder_;
  ManualClock clock_;

 public:
  SharedTracks writer;
  std::string path;
  SharedTrackReader reader;
};

}  // namespace pypac::test
