// SPDX-License-Identifier: MIT
#include "timeline/aligner.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

namespace pypac {
namespace {

constexpr std::size_t kMargin = Resampler::kMaxHalfWidth;
// The shortest packets seen are 32 frames; shorter ones only fill the list sooner.
constexpr std::size_t kShortestPacket = 16;

// Measured best with 32 sources: the memory that all of them use fits the second-level cache.
constexpr std::size_t kNearFrames = 4096;

Frames frames_until(double timeline) {
  return static_cast<Frames>(std::ceil(timeline));
}

}  // namespace

Aligner::Aligner(std::uint32_t channels, std::uint32_t max_block, std::uint32_t max_packet)
    : channels_(channels),
      live_capacity_(4 * std::size_t{max_block} + 2 * std::size_t{max_packet} + 4 * kMargin),
      capacity_(2 * live_capacity_),
      // Not cleared: memory that a small packet never reaches is never touched.
      samples_(std::make_unique_for_overwrite<float[]>(channels * capacity_)),
      segments_(std::bit_ceil(live_capacity_ / kShortestPacket + 16)),
      inputs_(channels),
      outputs_(channels),
      shown_(channels) {
  static_cast<void>(Resampler::for_step(1));  // builds the kernels here rather than on the pump
  store_silence(kMargin);
}

void Aligner::start_at(Frames begin) noexcept {
  assert(!run_ && taken_until_ == start_);
  start_ = placed_until_ = captured_until_ = run_begin_ = taken_until_ = begin;
}

bool Aligner::has_room(std::uint32_t frames) const noexcept {
  const std::size_t wanted = frames + 2 * kMargin;
  if (wanted > live_capacity_) return true;  // it will never fit: place() drops it
  return static_cast<std::size_t>(stored_ - oldest_) + wanted <= live_capacity_ &&
         segment_count_ < segments_.size();
}

bool Aligner::place(const PacketView& packet, const PacketView* next, bool give_up_waiting,
                    GapSink& gaps) noexcept {
  Stamp stamp = packet.stamp;
  if (packet.frames == 0 || !std::isfinite(stamp.timeline) || !(stamp.step > 0)) return true;
  if (packet.frames + 2 * kMargin > live_capacity_) {
    refused_ = true;
    return true;
  }
  assert(has_room(packet.frames));
  const auto device_frames = static_cast<std::int64_t>(packet.frames);

  // Sources of one clock get their packets from callbacks of their own: a late one reads the next
  // cycle's stamp though the others of its cycle have read the right one.
  const bool skips_a_packet = run_ && stamp.epoch == epoch_ && packet.lost_before == 0 &&
                              stamp.device_time == expected_device_time_ + device_frames;
  if (stamp.suspect || skips_a_packet) {
    if (!next) {
      const bool only_late =
          frames_until(stamp.timeline + packet.frames * stamp.step) <= taken_until_;
      if (!give_up_waiting || only_late) return false;
    } else if (next->stamp.claims_previous) {
      stamp = next->stamp;
      stamp.device_time -= device_frames;
      stamp.timeline -= packet.frames * stamp.step;
    } else if (next->stamp.epoch == stamp.epoch && next->stamp.device_time == stamp.device_time) {
      stamp.device_time -= device_frames;
      if (run_ && stamp.epoch == epoch_ && stamp.device_time == expected_device_time_) {
        stamp.timeline = expected_timeline_;
        stamp.step = last_step_;
      } else {
        stamp.timeline -= packet.frames * stamp.step;
      }
      const Frames begin = frames_until(stamp.timeline);
      gaps.incident(Cause::restamped, begin,
                    frames_until(stamp.timeline + packet.frames * stamp.step) - begin);
    }
  }

  const double timeline_end = stamp.timeline + packet.frames * stamp.step;
  const Frames end = frames_until(timeline_end);
  std::uint32_t skip = 0;
  bool contiguous = false;
  if (run_ && stamp.epoch == epoch_) {
    const std::int64_t repeated = expected_device_time_ - stamp.device_time;
    if (repeated >= device_frames) {
      count_dropped(frames_until(stamp.timeline), end, gaps);
      return true;
    }
    // Within an epoch there is one curve, but for a moved origin.
    if (repeated >= 0 && std::abs(stamp.timeline + static_cast<double>(repeated) * stamp.step -
                                  expected_timeline_) < 0.5) {
      contiguous = true;
      skip = static_cast<std::uint32_t>(repeated);
      if (skip > 0) count_dropped(frames_until(stamp.timeline), captured_until_, gaps);
    }
  }

  const Frames begin = contiguous ? captured_until_ : frames_until(stamp.timeline);
  if (begin > placed_until_) {
    gaps.incident(gap_cause(packet, stamp), placed_until_, begin - placed_until_);
    placed_until_ = begin;
  } else {
    count_dropped(begin, std::min(end, placed_until_), gaps);
  }
  if (!contiguous) {
    store_silence(kMargin);
    run_begin_ = placed_until_;
  }

  Segment added;
  added.begin = std::max(begin, placed_until_);
  added.end = end;
  added.timeline = stamp.timeline + skip * stamp.step;
  added.step = stamp.step;
  added.offset = stored_;
  const bool passes = stamp.step == 1 && stamp.timeline == std::floor(stamp.timeline);
  added.resampler = passes ? nullptr : &Resampler::for_step(stamp.step);
  store(packet, skip);
  if (added.begin < added.end) add_segment(added);

  run_ = true;
  refused_ = false;
  epoch_ = stamp.epoch;
  expected_device_time_ = stamp.device_time + device_frames;
  expected_timeline_ = timeline_end;
  last_step_ = stamp.step;
  captured_until_ = end;
  placed_until_ = std::max(placed_until_, end);
  return true;
}

Cause Aligner::gap_cause(const PacketView& packet, const Stamp& stamp) const noexcept {
  const bool goes_on = absent_ && placed_until_ == taken_until_;
  if (packet.lost_before > 0 || refused_) return Cause::capture_overrun;
  if (goes_on && absence_ != Cause::stalled) return absence_;
  if (!run_) return goes_on ? absence_ : Cause::starting;
  if (stamp.epoch != epoch_) return stamp.break_cause;
  if (goes_on) return absence_;
  return packet.silent_before ? Cause::underrun : Cause::lost_cycles;
}

void Aligner::count_dropped(Frames begin, Frames end, GapSink& gaps) noexcept {
  begin = std::max(begin, start_);
  if (begin >= end) return;
  // Before captured_until_ there were other frames; behind it, silence that take() has reported.
  const Frames twice = std::max<Frames>(0, std::min(end, captured_until_) - begin);
  if (twice > 0) gaps.incident(Cause::overlap, begin, twice);
  const Frames late = end - begin - twice;
  if (late > 0) gaps.incident(Cause::late, begin + twice, late);
  late_frames_ += late;
}

void Aligner::add_segment(const Segment& added) noexcept {
  if (segment_count_ > 0 && !added.resampler) {
    Segment& last = segment(segment_count_ - 1);
    if (!last.resampler && last.end == added.begin &&
        added.timeline - last.timeline == static_cast<double>(added.offset - last.offset)) {
      last.end = added.end;
      return;
    }
  }
  segment(segment_count_) = added;
  ++segment_count_;
}

void Aligner::make_space(std::size_t frames) noexcept {
  const auto shift = static_cast<std::size_t>(oldest_ - base_);
  const auto kept = static_cast<std::size_t>(stored_ - oldest_);
  // Moved long before the end where little is kept, so that it stays in the cache.
  if (shift < std::max(kNearFrames, 4 * kept) && shift + kept + frames + kMargin <= capacity_)
    return;
  for (std::uint32_t c = 0; c < channels_; ++c) {
    float* const channel = samples_.get() + c * capacity_;
    std::memmove(channel, channel + shift, kept * sizeof(float));
  }
  base_ = oldest_;
}

void Aligner::store(const PacketView& packet, std::uint32_t skip) noexcept {
  const std::size_t frames = packet.frames - skip;
  make_space(frames);
  for (std::uint32_t c = 0; c < channels_; ++c) {
    float* const room = samples_.get() + c * capacity_ + (stored_ - base_);
    std::memcpy(room, packet.samples + std::size_t{c} * packet.frames + skip,
                frames * sizeof(float));
  }
  stored_ += static_cast<std::int64_t>(frames);
}

void Aligner::store_margin_behind() noexcept {
  if (margin_at_ == stored_) return;
  margin_at_ = stored_;
  for (std::uint32_t c = 0; c < channels_; ++c)
    std::fill_n(samples_.get() + c * capacity_ + (stored_ - base_), kMargin, 0.0F);
}

void Aligner::store_silence(std::uint32_t frames) noexcept {
  make_space(frames);
  for (std::uint32_t c = 0; c < channels_; ++c)
    std::fill_n(samples_.get() + c * capacity_ + (stored_ - base_), frames, 0.0F);
  stored_ += frames;
}

Frames Aligner::covered_until() const noexcept {
  if (segment_count_ == 0) return placed_until_;
  const Segment& last = segment(segment_count_ - 1);
  const Resampler* resampler = last.resampler;
  if (!resampler && segment_count_ > 1) resampler = segment(segment_count_ - 2).resampler;
  if (!resampler) return placed_until_;
  // The newest frames of the run wait for those behind them; where the run has passed through for
  // half a kernel, none does.
  const std::int64_t ready = stored_ - last.offset - resampler->half_width();
  if (!last.resampler && ready >= 0) return placed_until_;
  const auto until =
      static_cast<Frames>(std::floor(last.timeline + static_cast<double>(ready) * last.step));
  return std::clamp(until, std::max(run_begin_, taken_until_),
                    std::max(placed_until_, taken_until_));
}

Aligner::Taken Aligner::take(Frames begin, std::uint32_t frames, float* const* room, Cause absence,
                             GapSink& gaps) noexcept {
  assert(begin == taken_until_);
  const Frames end = begin + frames;
  Taken taken;
  if (const float* const* const shown = show(begin, end)) {
    taken = {frames, shown};
  } else {
    taken = {put_together(begin, end, room), room};
  }

  absent_ = placed_until_ < end;
  if (absent_) {
    absence_ = absence;
    gaps.incident(absence, placed_until_, end - placed_until_);
    placed_until_ = end;
  }
  taken_until_ = end;
  forget_played();
  return taken;
}

const float* const* Aligner::show(Frames begin, Frames end) noexcept {
  std::size_t i = 0;
  while (i < segment_count_ && segment(i).end <= begin) ++i;
  if (i == segment_count_) return nullptr;
  const Segment& from = segment(i);
  if (from.resampler || from.begin > begin || from.end < end) return nullptr;
  const std::int64_t first = from.offset - base_ + (begin - static_cast<Frames>(from.timeline));
  for (std::uint32_t c = 0; c < channels_; ++c) shown_[c] = samples_.get() + c * capacity_ + first;
  return shown_.data();
}

std::uint32_t Aligner::put_together(Frames begin, Frames end, float* const* out) noexcept {
  Frames done = begin;
  std::uint32_t captured = 0;
  for (std::size_t i = 0; i < segment_count_ && done < end; ++i) {
    const Segment& from = segment(i);
    if (from.end <= done) continue;
    if (from.begin >= end) break;
    if (from.begin > done) {
      silence(static_cast<std::uint32_t>(from.begin - done), out,
              static_cast<std::uint32_t>(done - begin));
      done = from.begin;
    }
    const auto count = static_cast<std::uint32_t>(std::min(from.end, end) - done);
    render(from, done, count, out, static_cast<std::uint32_t>(done - begin));
    captured += count;
    done += count;
  }
  if (done < end)
    silence(static_cast<std::uint32_t>(end - done), out, static_cast<std::uint32_t>(done - begin));
  return captured;
}

void Aligner::render(const Segment& from, Frames begin, std::uint32_t frames, float* const* out,
                     std::uint32_t out_offset) noexcept {
  const float* const origin = samples_.get() + (from.offset - base_);
  if (!from.resampler) {
    const Frames skipped = begin - static_cast<Frames>(from.timeline);
    for (std::uint32_t c = 0; c < channels_; ++c)
      std::memcpy(out[c] + out_offset, origin + static_cast<std::int64_t>(c * capacity_) + skipped,
                  frames * sizeof(float));
    return;
  }
  for (std::uint32_t c = 0; c < channels_; ++c) {
    inputs_[c] = origin + c * capacity_;
    outputs_[c] = out[c] + out_offset;
  }
  store_margin_behind();
  // Each place is computed afresh from the curve, so how blocks and packets fall makes no
  // difference.
  from.resampler->read(inputs_.data(), channels_, static_cast<double>(begin) - from.timeline,
                       1 / from.step, frames, outputs_.data());
}

void Aligner::silence(std::uint32_t frames, float* const* out,
                      std::uint32_t out_offset) const noexcept {
  for (std::uint32_t c = 0; c < channels_; ++c) std::fill_n(out[c] + out_offset, frames, 0.0F);
}

void Aligner::forget_played() noexcept {
  while (segment_count_ > 0 && segment(0).end <= taken_until_) {
    first_segment_ = (first_segment_ + 1) & (segments_.size() - 1);
    --segment_count_;
  }
  std::int64_t needed = stored_;
  if (segment_count_ > 0) {
    const Segment& first = segment(0);
    const double position =
        (static_cast<double>(std::max(taken_until_, first.begin)) - first.timeline) / first.step;
    needed = first.offset + static_cast<std::int64_t>(std::floor(position));
  }
  // Half a kernel before the next frame is kept: it may be resampled.
  oldest_ = std::clamp(needed - static_cast<std::int64_t>(kMargin), oldest_, stored_);
}

}  // namespace pypac
