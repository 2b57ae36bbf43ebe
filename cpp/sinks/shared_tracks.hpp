// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/host_clock.hpp"
#include "os/shared_memory.hpp"
#include "plugin/sink.hpp"
#include "sinks/shared_track_format.hpp"

namespace pypac {

/// What a session's shared tracks have in common.
struct SharedTracksOptions {
  std::string session;
  std::uint32_t sample_rate = 48000;
  std::uint32_t block_frames = 480;
  std::uint32_t latency_frames = 1920;
  std::uint32_t capacity_frames = 48000;  // at least two blocks
};

/// Tracks in memory that other programs read (sinks/shared_track_reader.hpp): one file a track,
/// one write position for all of them, so that they stay aligned.
///
/// It always has room: a reader that falls behind by more than the capacity loses frames, and finds
/// that out by itself. Each block is a sign of life.
class SharedTracks final : public Sink {
 public:
  struct Track {
    std::string name;
    std::uint32_t channels = 2;
  };

  /// [control-thread] The clock gives the signs of life, and outlives this object. Throws
  /// Failure(output_failed) where another living session has such a track, or memory is short, and
  /// Failure(invalid_argument) for numbers and names that the format cannot hold.
  SharedTracks(const SharedTracksOptions& options, const std::vector<Track>& tracks,
               const HostClock& clock);
  /// [control-thread] Closes.
  ~SharedTracks() override;

  void start(const TimelineAnchor& anchor) override;
  [[nodiscard]] bool begin_block(Frames start, std::uint32_t frames) noexcept override;
  void write_track(std::size_t track, const float* const* channels) noexcept override;
  void commit_block() noexcept override;
  void finish() noexcept override;
  [[nodiscard]] bool closed() const noexcept override {
    return closed_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint64_t room() const noexcept override { return capacity_frames_; }

  /// [control-thread] Ends the tracks for their readers and removes the files. The memory stays for
  /// as long as this object, for the pump may be in it.
  void close() noexcept;

  [[nodiscard]] const shared_track::SessionId& session_id() const noexcept { return session_id_; }
  /// [control-thread] The files, in the tracks' order.
  [[nodiscard]] std::vector<std::string> paths() const;

 private:
  struct Memory {
    std::unique_ptr<SharedMemory> memory;
    shared_track::LivePositions* positions;  // in the memory
    float* samples;                          // in the memory
    std::uint32_t channels;
  };

  std::uint32_t capacity_frames_;
  const HostClock& clock_;
  shared_track::SessionId session_id_;
  std::vector<Memory> tracks_;
  Frames start_ = 0;          // pump only: of the open block
  std::uint32_t frames_ = 0;  // pump only
  bool written_any_ = false;  // pump only
  std::atomic<bool> closed_{false};
};

}  // namespace pypac
