// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/time.hpp"
#include "timeline/gap_sink.hpp"
#include "timeline/packet.hpp"
#include "timeline/resampler.hpp"

namespace pypac {

/// Places one source's packets on the timeline and hands out contiguous frames.
///
/// Packets are appended, gaps become silence, overlaps are trimmed, frames off the timeline's rate
/// are resampled. All on the pump.
///
/// Each frame of the timeline is either captured or in exactly one reported stretch of silence.
/// Captured frames are never faded at the edges of a gap: that would falsify them.
///
/// Example, packets of 480 frames passing through: {timeline 0}, {timeline 960}: frames 0 ... 479,
/// then 480 of silence (reported), then frames 960 ... 1439.
class Aligner {
 public:
  /// [control-thread] Allocates; nothing afterwards does. Blocks and packets are at most so long.
  Aligner(std::uint32_t channels, std::uint32_t max_block, std::uint32_t max_packet);

  /// [pump] For a source that joins a running session: the first take() will begin here. Before the
  /// first place().
  void start_at(Frames begin) noexcept;

  /// [pump] True if place() can take a packet of `frames` now (it has room before take() is
  /// called). Packets that come early wait outside for as long as it has none.
  [[nodiscard]] bool has_room(std::uint32_t frames) const noexcept;

  /// [pump] Places a packet. `next` is the packet behind it if that has come already, else nullptr:
  /// it tells whether a suspect stamp was late. Returns false if the packet is suspect and must
  /// wait for its successor; offer it again then, or with `give_up_waiting` when its time has come.
  /// (Even then it may return false: where the packet could only be dropped as late, it waits on.)
  ///
  /// Gaps are reported here, ahead of the take() that plays them. The cause is capture_overrun
  /// where the ring was full, the stamp's break_cause between two epochs, within one lost_cycles,
  /// or underrun where only this source gave nothing; a gap that goes on where take() had reported
  /// an absence keeps that cause, but for `stalled` between two epochs. Before the first packet it
  /// is `starting`.
  [[nodiscard]] bool place(const PacketView& packet, const PacketView* next, bool give_up_waiting,
                           GapSink& gaps) noexcept;

  /// [pump] The timeline up to which place() has brought frames (or known gaps). While resampling
  /// it lags what was placed by half a kernel, 32 frames, which need their successors.
  [[nodiscard]] Frames covered_until() const noexcept;

  struct Taken {
    std::uint32_t captured = 0;              // how many of the frames were captured
    const float* const* channels = nullptr;  // valid until the next place() or take()
  };
  /// [pump] Gives [begin, begin + frames) and forgets everything before its end. What passes
  /// through in one piece is shown where it lies; all else is put together in `room` (one pointer a
  /// channel). What has not come is silence, reported with cause `absence`; frames that come for it
  /// afterwards are `late`. `begin` is where the last call ended.
  [[nodiscard]] Taken take(Frames begin, std::uint32_t frames, float* const* room, Cause absence,
                           GapSink& gaps) noexcept;

  /// [pump] Timeline frames that came after their place had been played. The silence there has been
  /// reported already, so these are only counted.
  [[nodiscard]] Frames late_frames() const noexcept { return late_frames_; }

 private:
  // A stretch of the timeline that one packet covers.
  struct Segment {
    Frames begin = 0;  // the first timeline frame that is read from it
    Frames end = 0;
    double timeline = 0;  // of its first device frame, at `offset` of the store
    double step = 1;
    std::int64_t offset = 0;               // counted in all frames ever stored
    const Resampler* resampler = nullptr;  // nullptr: passes bit for bit
  };

  [[nodiscard]] const Segment& segment(std::size_t i) const noexcept {
    return segments_[(first_segment_ + i) & (segments_.size() - 1)];
  }
  [[nodiscard]] Segment& segment(std::size_t i) noexcept {
    return segments_[(first_segment_ + i) & (segments_.size() - 1)];
  }
  [[nodiscard]] Cause gap_cause(const PacketView& packet, const Stamp& stamp) const noexcept;
  void count_dropped(Frames begin, Frames end, GapSink& gaps) noexcept;
  void add_segment(const Segment& added) noexcept;
  void store(const PacketView& packet, std::uint32_t skip) noexcept;
  void store_margin_behind() noexcept;
  void store_silence(std::uint32_t frames) noexcept;
  void make_space(std::size_t frames) noexcept;
  void render(const Segment& from, Frames begin, std::uint32_t frames, float* const* out,
              std::uint32_t out_offset) noexcept;
  [[nodiscard]] std::uint32_t put_together(Frames begin, Frames end, float* const* out) noexcept;
  [[nodiscard]] const float* const* show(Frames begin, Frames end) noexcept;
  void silence(std::uint32_t frames, float* const* out, std::uint32_t out_offset) const noexcept;
  void forget_played() noexcept;

  const std::uint32_t channels_;
  const std::size_t live_capacity_;  // frames that are kept at most, without the margins
  const std::size_t capacity_;       // frames a channel

  // Device frames, planar: channel c at c * capacity_. Runs of contiguous frames, kMaxHalfWidth
  // zeros around each, so that a kernel never reads over a gap. Moved to the front when the end is
  // reached.
  std::unique_ptr<float[]> samples_;
  std::int64_t base_ = 0;        // the offset of samples_[0]
  std::int64_t oldest_ = 0;      // the offset from which frames may still be read
  std::int64_t stored_ = 0;      // the offset behind the newest frame
  std::int64_t margin_at_ = -1;  // the offset that zeros follow: written when a kernel needs them

  std::vector<Segment> segments_;  // a ring; a power of two, so that its index is a mask
  std::size_t first_segment_ = 0;
  std::size_t segment_count_ = 0;

  std::vector<const float*> inputs_;
  std::vector<float*> outputs_;
  std::vector<const float*> shown_;

  bool run_ = false;  // something has been placed
  std::uint32_t epoch_ = 0;
  std::int64_t expected_device_time_ = 0;
  double expected_timeline_ = 0;  // where the curve is at expected_device_time_
  double last_step_ = 1;
  bool refused_ = false;  // a packet was dropped here: it was too long

  Frames start_ = 0;
  Frames placed_until_ = 0;    // captured or in a reported gap
  Frames captured_until_ = 0;  // the end of the newest packet
  Frames run_begin_ = 0;       // where the newest contiguous run begins on the timeline
  Frames taken_until_ = 0;
  bool absent_ = false;  // the last take() ended in an absence
  Cause absence_{};
  Frames late_frames_ = 0;
};

}  // namespace pypac
