// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "core/time.hpp"
#include "plugin/sink.hpp"
#include "timeline/clock_domain.hpp"

namespace pypac {

struct PlayoutOptions {
  std::uint32_t sample_rate = 48000;
  std::uint32_t block_frames = 480;
  std::uint32_t latency_frames = 1920;  // of the engine
  std::uint32_t spare_frames = 960;     // by how much the pump may come late
};

/// Plays tracks in the cycles of another clock: an audio system that records from us.
///
/// The pump writes each track into a ring and never waits. The audio system asks for the frames of
/// one cycle after another, each track on its own. Which frames of the timeline those are follows
/// from the cycle's clock alone: what host time says, less one constant delay. So all tracks give
/// the same frames in the same cycle whenever they were started, and nothing piles up while nobody
/// asks. Clocks that agree pass frames bit for bit; those that drift are resampled, by the same
/// curve for all tracks (ClockDomain).
///
/// Example, 48 kHz, blocks of 480, latency 1920, spare 960, cycles of 1024: the delay is 4384
/// frames, so the cycle that begins 1 s after the session's start plays the frames 43616 ... 44639.
class Playout final : public Sink {
 public:
  /// [control-thread] Allocates; nothing afterwards does.
  Playout(const PlayoutOptions& options, const std::vector<std::uint32_t>& track_channels);

  void start(const TimelineAnchor& anchor) override;
  [[nodiscard]] bool begin_block(Frames start, std::uint32_t frames) noexcept override;
  void write_track(std::size_t track, const float* const* channels) noexcept override;
  void commit_block() noexcept override;
  void finish() noexcept override;
  [[nodiscard]] Frames take_lost() noexcept override;
  [[nodiscard]] bool closed() const noexcept override {
    return closed_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint64_t room() const noexcept override { return capacity_; }

  /// [capture-thread] The frames of a track for this cycle, planar: one thread for all tracks, each
  /// at most once a cycle. What is not there, or not yet, is silence.
  void play(std::size_t track, const ClockReading& cycle, std::uint32_t frames,
            float* const* out) noexcept;

  /// [capture-thread] What play() gave last came after its cycle had ended: whoever records has had
  /// to do without.
  void came_late(std::size_t track) noexcept { lose(*tracks_[track], cycle_.frames); }

  /// [any-thread, realtime-safe] Nobody takes this track any more; the next play() begins afresh.
  void rest(std::size_t track) noexcept;

  /// [any-thread, realtime-safe] Wants no more blocks.
  void close() noexcept { closed_.store(true, std::memory_order_release); }

  [[nodiscard]] std::size_t track_count() const noexcept { return tracks_.size(); }
  [[nodiscard]] std::uint32_t channels(std::size_t track) const noexcept {
    return tracks_[track]->channels;
  }
  /// [any-thread, realtime-safe] By how much a frame is played after its host time; 0: not yet.
  [[nodiscard]] Frames delay_frames() const noexcept {
    return delay_frames_.load(std::memory_order_relaxed);
  }
  /// [any-thread, realtime-safe] Frames of a track that were missing or left out while it played.
  [[nodiscard]] Frames lost_frames(std::size_t track) const noexcept {
    return tracks_[track]->lost_frames.load(std::memory_order_relaxed);
  }

 private:
  static constexpr Frames kNobodyReads = std::numeric_limits<Frames>::max();

  struct Track {
    std::uint32_t channels = 0;
    std::vector<float> samples;                    // planar, capacity_ frames a channel
    std::vector<float> window;                     // capture thread only: planar, kWindow frames
    std::vector<const float*> inputs;              // capture thread only
    std::vector<float*> outputs;                   // capture thread only
    bool playing = false;                          // capture thread only
    bool behind = false;                           // capture thread only: it read the next cycle's
    double next = 0;                               // capture thread only: the frame that is next
    double heard = 0;                              // capture thread only: what was played ends here
    Frames told_lost = 0;                          // pump only
    std::atomic<bool> rests{false};                // control sets, capture thread clears
    std::atomic<Frames> reads_from{kNobodyReads};  // capture thread writes
    std::atomic<Frames> lost_frames{0};            // capture thread writes
  };

  /// What one cycle plays, the same for all tracks.
  struct Cycle {
    ClockReading clock;
    bool stamped = false;
    double timeline = 0;  // of its first frame
    double step = 1;      // timeline frames a frame of the session's rate
    double frames = 0;    // how much of the timeline it covers
  };

  void begin_cycle(const ClockReading& clock) noexcept;
  void render(Track& track, double begin, double step, std::uint32_t frames, std::uint32_t from,
              float* const* out) noexcept;
  void fill_window(Track& track, Frames begin, std::uint32_t frames) noexcept;
  void lose(Track& track, double frames) noexcept;
  [[nodiscard]] bool anything_plays() const noexcept;

  PlayoutOptions options_;
  Frames capacity_;
  std::vector<std::unique_ptr<Track>> tracks_;
  ClockDomain domain_;                   // stamped on the capture thread
  Cycle cycle_;                          // capture thread only
  Frames block_start_ = 0;               // pump only: of the open block
  std::uint32_t block_frames_ = 0;       // pump only
  bool written_any_ = false;             // pump only
  std::atomic<Frames> first_{0};         // pump writes: nothing before it is there
  std::atomic<Frames> reserved_{0};      // pump writes: what is being overwritten ends there, later
  std::atomic<Frames> written_{0};       // pump writes: nothing behind it is there
  std::atomic<Frames> delay_frames_{0};  // capture thread writes
  std::atomic<bool> finished_{false};    // pump writes
  std::atomic<bool> closed_{false};
};

}  // namespace pypac
