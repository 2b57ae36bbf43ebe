// SPDX-License-Identifier: MIT
#include "sinks/playout.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/thread_role.hpp"
#include "timeline/resampler.hpp"

namespace pypac {
namespace {

// PipeWire's largest quantum (clock.quantum-limit) is 8192 frames: at a quarter of the timeline's
// rate, and once more for what is read while the pump writes.
constexpr Frames kLongestCycle = Frames{4} * 8192;

constexpr std::uint32_t kMargin = Resampler::kMaxHalfWidth + 1;
constexpr std::uint32_t kWindow = 4096;

// A track that goes on where it ended is off by nothing where the rates are equal, and by what the
// audio system's own resampler holds where they are not.
constexpr double kSame = 0.5;          // frames
constexpr double kSameResampled = 64;  // frames

}  // namespace

Playout::Playout(const PlayoutOptions& options, const std::vector<std::uint32_t>& track_channels)
    : options_(options),
      capacity_(Frames{options.latency_frames} + options.block_frames + options.spare_frames +
                2 * kLongestCycle),
      domain_(options.sample_rate) {
  PYPAC_ASSERT_NOT_REALTIME();
  static_cast<void>(Resampler::for_step(1));  // builds the kernels here
  for (const std::uint32_t channels : track_channels) {
    auto track = std::make_unique<Track>();
    track->channels = channels;
    track->samples.resize(static_cast<std::size_t>(capacity_) * channels);
    track->window.resize(std::size_t{kWindow} * channels);
    track->inputs.resize(channels);
    track->outputs.resize(channels);
    tracks_.push_back(std::move(track));
  }
}

// -- the pump's side

void Playout::start(const TimelineAnchor& anchor) {
  PYPAC_ASSERT_NOT_REALTIME();
  domain_.set_origin(anchor.origin);
}

bool Playout::begin_block(Frames start, std::uint32_t frames) noexcept {
  if (closed()) return false;
  block_start_ = start;
  block_frames_ = frames;
  // Sequentially consistent on both sides (here and in fill_window): either the pump sees what is
  // being read, or the reader sees what is no longer to be read.
  reserved_.store(start + frames, std::memory_order_seq_cst);
  if (!written_any_) first_.store(start, std::memory_order_release);
  for (const auto& track : tracks_) {
    if (track->reads_from.load(std::memory_order_seq_cst) >= start + frames - capacity_) continue;
    // It has been in the middle of its cycle for more than a second. What lies in this block's
    // place is old, so nothing before it counts any more.
    first_.store(start + frames, std::memory_order_release);
    return false;
  }
  return true;
}

void Playout::write_track(std::size_t track, const float* const* channels) noexcept {
  Track& to = *tracks_[track];
  const auto place = static_cast<std::size_t>(block_start_ % capacity_);
  const std::size_t before_wrap =
      std::min<std::size_t>(block_frames_, static_cast<std::size_t>(capacity_) - place);
  for (std::uint32_t c = 0; c < to.channels; ++c) {
    float* const channel = to.samples.data() + static_cast<std::size_t>(capacity_) * c;
    std::memcpy(channel + place, channels[c], before_wrap * sizeof(float));
    std::memcpy(channel, channels[c] + before_wrap, (block_frames_ - before_wrap) * sizeof(float));
  }
}

void Playout::commit_block() noexcept {
  written_.store(block_start_ + block_frames_, std::memory_order_release);
  written_any_ = true;
}

void Playout::finish() noexcept {
  finished_.store(true, std::memory_order_release);
}

Frames Playout::take_lost() noexcept {
  Frames most = 0;
  for (const auto& track : tracks_) {
    const Frames lost = track->lost_frames.load(std::memory_order_relaxed);
    most = std::max(most, lost - track->told_lost);
    track->told_lost = lost;
  }
  return most;
}

// -- the audio system's side

void Playout::rest(std::size_t track) noexcept {
  tracks_[track]->rests.store(true, std::memory_order_release);
}

bool Playout::anything_plays() const noexcept {
  return std::any_of(tracks_.begin(), tracks_.end(), [](const auto& track) {
    return track->playing && !track->rests.load(std::memory_order_acquire);
  });
}

void Playout::begin_cycle(const ClockReading& clock) noexcept {
  const bool same = cycle_.clock.frames > 0 && cycle_.clock.clock_id == clock.clock_id &&
                    cycle_.clock.rate == clock.rate && cycle_.clock.position == clock.position;
  if (same) return;
  cycle_.clock = clock;
  Stamp stamp;
  cycle_.stamped = domain_.stamp(clock, stamp);
  cycle_.frames = clock.frames * stamp.step;
  // What is played must have been written by then, whatever the cycle's length. The delay never
  // shrinks while somebody listens, for that would leave frames out.
  const Frames length = (Frames{clock.frames} * options_.sample_rate + clock.rate - 1) / clock.rate;
  const Frames wanted =
      Frames{options_.latency_frames} + options_.block_frames + options_.spare_frames + length;
  if (!anything_plays() || wanted > delay_frames()) delay_frames_.store(wanted);
  cycle_.timeline = stamp.timeline - static_cast<double>(delay_frames());
  cycle_.step = stamp.step * clock.rate / options_.sample_rate;
}

void Playout::play(std::size_t index, const ClockReading& clock, std::uint32_t frames,
                   float* const* out) noexcept {
  const ScopedThreadRole role(ThreadRole::capture);
  Track& track = *tracks_[index];
  for (std::uint32_t c = 0; c < track.channels; ++c) std::fill_n(out[c], frames, 0.0F);
  if (clock.frames == 0 || clock.rate == 0) return;
  begin_cycle(clock);
  if (!cycle_.stamped) return;
  if (track.rests.exchange(false, std::memory_order_acq_rel)) track.playing = false;

  double begin = cycle_.timeline;
  if (track.playing) {
    const bool same_rate = clock.rate == options_.sample_rate;
    const double same = same_rate ? kSame : kSameResampled;
    const double ahead = begin - track.next;
    if (std::abs(ahead) <= same) {
      if (!same_rate) begin = track.next;
      track.behind = false;
    } else if (!track.behind && std::abs(ahead - cycle_.frames) <= same) {
      // A late callback reads the next cycle's clock. Whoever records has had to do without it, but
      // all goes on in its place; if it does so twice, a cycle was left out before it.
      begin = track.next;
      track.behind = true;
      lose(track, cycle_.frames);
    } else {
      track.behind = false;
      lose(track, std::abs(ahead));
    }
  }
  // Nothing is heard twice: what has been played already is silence.
  const double again = track.heard - begin;
  std::uint32_t silent = 0;
  if (track.playing && again > kSame && again < options_.sample_rate)
    silent = static_cast<std::uint32_t>(
        std::min<double>(frames, std::ceil(again / cycle_.step - kSame)));
  track.next = begin + frames * cycle_.step;
  track.heard = silent > 0 ? std::max(track.heard, track.next) : track.next;
  track.playing = true;
  render(track, begin, cycle_.step, frames, silent, out);
}

void Playout::lose(Track& track, double frames) noexcept {
  track.lost_frames.store(
      track.lost_frames.load(std::memory_order_relaxed) + static_cast<Frames>(std::llround(frames)),
      std::memory_order_relaxed);
}

void Playout::render(Track& track, double begin, double step, std::uint32_t frames,
                     std::uint32_t from, float* const* out) noexcept {
  const bool passes = step == 1 && begin == std::floor(begin);
  const auto most = static_cast<std::uint32_t>((kWindow - 2 * kMargin - 2) / std::max(step, 1.0));
  for (std::uint32_t i = from; i < frames;) {
    const std::uint32_t count = std::min(frames - i, std::max(most, 1U));
    const double position = begin + i * step;
    const auto first = static_cast<Frames>(std::floor(position));
    const auto last = static_cast<Frames>(std::floor(position + (count - 1) * step));
    const auto length = static_cast<std::uint32_t>(last - first + 1);
    fill_window(track, first, length);
    for (std::uint32_t c = 0; c < track.channels; ++c) {
      track.inputs[c] = track.window.data() + std::size_t{kWindow} * c + kMargin;
      track.outputs[c] = out[c] + i;
    }
    if (passes) {
      for (std::uint32_t c = 0; c < track.channels; ++c)
        std::memcpy(track.outputs[c], track.inputs[c], count * sizeof(float));
    } else {
      Resampler::for_step(1 / step).read(track.inputs.data(), track.channels,
                                         (position - static_cast<double>(first)) / step, step,
                                         count, track.outputs.data());
    }
    i += count;
  }
}

void Playout::fill_window(Track& track, Frames begin, std::uint32_t frames) noexcept {
  const Frames window_begin = begin - kMargin;
  const Frames window_end = begin + frames + kMargin;
  track.reads_from.store(window_begin, std::memory_order_seq_cst);
  const Frames written = written_.load(std::memory_order_acquire);
  const Frames oldest = std::max(first_.load(std::memory_order_acquire),
                                 reserved_.load(std::memory_order_seq_cst) - capacity_);
  const Frames from = std::clamp(oldest, window_begin, window_end);
  const Frames until = std::clamp(written, from, window_end);
  for (std::uint32_t c = 0; c < track.channels; ++c) {
    const float* const channel = track.samples.data() + static_cast<std::size_t>(capacity_) * c;
    float* const window = track.window.data() + std::size_t{kWindow} * c;
    std::fill(window, window + (from - window_begin), 0.0F);
    for (Frames done = from; done < until;) {
      const Frames place = done % capacity_;
      const Frames count = std::min(until - done, capacity_ - place);
      std::memcpy(window + (done - window_begin), channel + place,
                  static_cast<std::size_t>(count) * sizeof(float));
      done += count;
    }
    std::fill(window + (until - window_begin), window + (window_end - window_begin), 0.0F);
  }
  track.reads_from.store(kNobodyReads, std::memory_order_release);
  // Before the first block, and behind the last, there is nothing to lose.
  const Frames late = begin + frames - std::max(written, begin);
  if (late > 0 && written > 0 && !finished_.load(std::memory_order_acquire))
    lose(track, static_cast<double>(late));
}

}  // namespace pypac
