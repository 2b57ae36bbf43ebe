// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include "core/time.hpp"
#include "os/wake_signal.hpp"
#include "plugin/sink.hpp"

namespace pypac {

/// A bounded ring of blocks from the pump to one reader thread, for several tracks at once.
///
/// Tracks share one write and one read position, so a reader's tracks stay aligned: a full ring
/// drops the whole block, for this reader alone, and counts it. The reader sees the drop as a jump
/// of `start`. Frames lie interleaved, one buffer a track, and are read in place.
///
/// Example, blocks of 480, the third dropped: peek() gives {start 0, 960 frames}; after
/// release(960) the next peek() gives {start 1440, ...}.
class ReaderRing final : public Sink {
 public:
  /// A contiguous run. Valid until release().
  struct Run {
    Frames start = 0;
    std::uint32_t frames = 0;     // 0: nothing is there
    std::size_t first_frame = 0;  // where the run begins in each track's buffer
  };

  /// [control-thread] Allocates and touches all of its memory.
  ReaderRing(const std::vector<std::uint32_t>& track_channels, std::uint32_t block_frames,
             std::uint32_t capacity_frames);

  [[nodiscard]] std::size_t track_count() const noexcept { return tracks_.size(); }
  [[nodiscard]] std::uint32_t channels(std::size_t track) const noexcept {
    return tracks_[track].channels;
  }

  /// [pump] Opens the next block. False: the ring is full or closed; the block is dropped.
  [[nodiscard]] bool begin_block(Frames start, std::uint32_t frames) noexcept override;
  /// [pump] Fills one track of the open block from planar channels.
  void write_track(std::size_t track, const float* const* channels) noexcept override;
  /// [pump] Hands the block over, and wakes the reader if it has what it waits for.
  void commit_block() noexcept override;
  /// [pump] The session has ended: nothing follows.
  void finish() noexcept override;

  /// [reader] Waits until `frames` frames are there (at most what fits), the session has ended or
  /// the time is over. Returns true in the first two cases. One thread waits at a time.
  bool wait(std::uint64_t frames, std::chrono::nanoseconds timeout);
  /// [any-thread] Ends a wait() in another thread early.
  void interrupt() noexcept;
  /// [reader]
  [[nodiscard]] Run peek(std::uint32_t max_frames) const noexcept;
  /// [reader] The samples of a track at `run.first_frame`, interleaved.
  [[nodiscard]] const float* samples(std::size_t track, const Run& run) const noexcept {
    return tracks_[track].samples.data() + run.first_frame * tracks_[track].channels;
  }
  /// [reader] Gives back the first `frames` frames of the last run.
  void release(std::uint32_t frames) noexcept;
  /// [any-thread, realtime-safe] The reader is gone: the pump skips this ring from now on.
  void close() noexcept;

  /// [any-thread, realtime-safe]
  [[nodiscard]] bool closed() const noexcept override {
    return closed_.load(std::memory_order_acquire);
  }
  /// [any-thread, realtime-safe] The session has ended and everything was read.
  [[nodiscard]] bool finished() const noexcept;
  /// [any-thread, realtime-safe]
  [[nodiscard]] Frames lost_frames() const noexcept {
    return lost_frames_.load(std::memory_order_relaxed);
  }
  /// [any-thread, realtime-safe] Frames that wait for the reader.
  [[nodiscard]] std::uint64_t available() const noexcept;
  [[nodiscard]] std::uint64_t room() const noexcept override {
    return (slots_.size() - used_slots()) * std::uint64_t{block_frames_};
  }
  [[nodiscard]] std::uint64_t capacity() const noexcept { return slots_.size() * block_frames_; }

 private:
  struct Track {
    std::uint32_t channels;
    std::vector<float> samples;
  };
  struct Slot {
    Frames start;
    std::uint32_t frames;
  };

  void wake_if_satisfied() noexcept;
  /// Blocks that the reader has not given back: short ones take as much room as others.
  [[nodiscard]] std::uint64_t used_slots() const noexcept {
    const std::uint64_t released = released_slots_.load(std::memory_order_acquire);
    return written_slots_.load(std::memory_order_acquire) - released;
  }
  [[nodiscard]] bool holds(std::uint64_t frames) const noexcept {
    return available() >= frames || used_slots() == slots_.size();
  }

  std::uint32_t block_frames_;
  std::vector<Track> tracks_;
  std::vector<Slot> slots_;
  std::uint32_t read_offset_ = 0;  // reader only: frames of the oldest slot already released
  alignas(64) std::atomic<std::uint64_t> written_slots_{0};   // pump writes
  std::atomic<std::uint64_t> written_frames_{0};              // pump writes
  std::atomic<Frames> lost_frames_{0};                        // pump writes
  std::atomic<bool> finished_{false};                         // pump writes
  alignas(64) std::atomic<std::uint64_t> released_slots_{0};  // reader writes
  std::atomic<std::uint64_t> released_frames_{0};             // reader writes
  std::atomic<std::uint64_t> wanted_frames_{kNobodyWaits};    // reader sets, pump clears
  std::atomic<bool> closed_{false};
  WakeSignal wake_;

  static constexpr std::uint64_t kNobodyWaits = 0;
};

}  // namespace pypac
