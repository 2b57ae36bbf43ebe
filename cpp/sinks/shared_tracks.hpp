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
/// A file that another program cuts off or deletes costs its readers that track, until
/// restore_lost() makes it anew; all else goes on.
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

  /// Frames [begin, begin + frames) of a track that its readers could not get, because the file was
  /// cut off. `error` says why it could not be made anew, and then `frames` is 0: it has no end
  /// yet.
  struct Loss {
    std::size_t track = 0;
    Frames begin = 0;
    Frames frames = 0;
    std::string error;
  };

  void start(const TimelineAnchor& anchor) override;
  [[nodiscard]] bool begin_block(Frames start, std::uint32_t frames) noexcept override;
  void write_track(std::size_t track, const float* const* channels) noexcept override;
  void commit_block() noexcept override;
  void finish() noexcept override;
  [[nodiscard]] bool closed() const noexcept override {
    return closed_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint64_t room() const noexcept override { return capacity_frames_; }

  /// [control-thread] Makes tracks anew whose files were cut off, overwritten in their headers or
  /// deleted, and gives what has become of each such loss since the last call: once when it is
  /// over, or once when it could not be made anew, which is tried again each time. To be called a
  /// few times a second, by the thread that calls close().
  [[nodiscard]] std::vector<Loss> restore_lost();

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
    bool begun = false;                      // pump only
    std::atomic<Frames> lost_at{-1};         // from the pump: its first block that nobody reads
  };
  /// A track, and all the memory that it has had: the pump may be in what was lost.
  struct Live {
    shared_track::Header header;
    std::string name;
    std::vector<std::unique_ptr<Memory>> memories;
    std::atomic<Memory*> newest{nullptr};
    Memory* in_use = nullptr;  // pump only: of the open block
    Frames missing_from = -1;  // readers have nothing from there on; -1: they do
    bool told = false;         // that it could not be made anew
  };

  [[nodiscard]] std::unique_ptr<Memory> make_memory(const Live& track) const;
  [[nodiscard]] bool intact(const Live& track) const noexcept;
  void renew(Live& track);
  void begin_positions(shared_track::LivePositions& positions) const noexcept;

  std::string session_;
  std::uint32_t capacity_frames_;
  const HostClock& clock_;
  shared_track::SessionId session_id_;
  std::vector<std::unique_ptr<Live>> tracks_;
  bool started_ = false;
  HostTime origin_{};
  Frames start_ = 0;            // pump only: of the open block
  std::uint32_t frames_ = 0;    // pump only
  std::atomic<Frames> end_{0};  // of the last block
  std::atomic<bool> finished_{false};
  std::atomic<bool> closed_{false};
};

}  // namespace pypac
