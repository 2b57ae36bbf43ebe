// SPDX-License-Identifier: MIT
#include "capture/mixed_source.hpp"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

#include "core/thread_role.hpp"
#include "plugin/fed_source.hpp"

namespace pypac {
namespace {

// Packets of Windows are 10 ms; after a delay several may come as one. As many as a second holds.
constexpr std::uint32_t kMaxPacket = 48000;

/// Frames are missing that should have come: worth telling beside other taps' sound.
bool is_loss(Cause cause) noexcept {
  return cause == Cause::lost_cycles || cause == Cause::capture_overrun ||
         cause == Cause::clock_changed || cause == Cause::clock_stepped;
}

}  // namespace

Tap::Tap(std::uint32_t channels, std::uint32_t capacity_frames, std::shared_ptr<ClockDomain> domain)
    : weights_{channel_weights("FL", channels), channel_weights("FR", channels)},
      domain_(std::move(domain)),
      clock_(domain_.get()),
      feed_(channels, capacity_frames, domain_),
      aligner_(channels, kMaxPiece, std::min(kMaxPacket, capacity_frames)),
      samples_(std::size_t{channels} * kMaxPiece),
      room_(channels) {
  for (std::uint32_t c = 0; c < channels; ++c)
    room_[c] = samples_.data() + std::size_t{c} * kMaxPiece;
}

void Tap::start(HostTime origin) noexcept {
  domain_->set_origin(origin);
  pushing_.store(true);
}

void Tap::stop() noexcept {
  pushing_.store(false);
  // The capture thread raises `busy_` before it looks at `pushing_`; a packet later it is down.
  while (busy_.load()) std::this_thread::yield();
}

float* Tap::begin(std::uint32_t frames) noexcept {
  busy_.store(true);
  float* const room = pushing_.load() ? feed_.begin_packet(frames) : nullptr;
  if (!room) busy_.store(false);
  return room;
}

void Tap::end(const Stamp* stamp, const ClockDomain& domain) noexcept {
  if (stamp) {
    feed_.commit_packet(*stamp);
    clock_.store(&domain, std::memory_order_release);
    packets_.fetch_add(1, std::memory_order_relaxed);
  }
  busy_.store(false);
}

void Tap::push(const ClockReading& reading, const float* interleaved) noexcept {
  Stamp stamp;
  if (!domain_->stamp(reading, stamp)) return;
  busy_.store(true);
  if (pushing_.load()) {
    if (float* const room = feed_.begin_packet(reading.frames)) {
      const std::uint32_t frames = reading.frames;
      for (std::uint32_t c = 0; c < feed_.channels(); ++c) {
        float* const out = room + std::size_t{c} * frames;
        const float left = weights_[0][c];
        const float right = weights_[1][c];
        if (!interleaved) {
          std::memset(out, 0, frames * sizeof(float));
        } else if (right == 0 && left == 1) {
          for (std::uint32_t i = 0; i < frames; ++i)
            out[i] = interleaved[std::size_t{kTapChannels} * i];
        } else if (left == 0 && right == 1) {
          for (std::uint32_t i = 0; i < frames; ++i)
            out[i] = interleaved[std::size_t{kTapChannels} * i + 1];
        } else {
          for (std::uint32_t i = 0; i < frames; ++i) {
            out[i] = left * interleaved[std::size_t{kTapChannels} * i] +
                     right * interleaved[std::size_t{kTapChannels} * i + 1];
          }
        }
      }
      feed_.commit_packet(stamp);
    }
    packets_.fetch_add(1, std::memory_order_relaxed);
  }
  busy_.store(false);
}

void Tap::incident(Cause cause, Frames begin, Frames frames) noexcept {
  if (cause == Cause::late || cause == Cause::overlap || cause == Cause::restamped) {
    told_->incident(cause, begin, frames);
    return;
  }
  if (gap_count_ > 0) {
    Gap& last = gaps_[gap_count_ - 1];
    // play() leaves room for what one round can add; should it ever not be enough, a gap is told
    // with the cause of the one before it rather than not at all.
    if (last.end == begin && (last.cause == cause || gap_count_ == kMaxGaps)) {
      last.end = begin + frames;
      return;
    }
  }
  if (gap_count_ < kMaxGaps) gaps_[gap_count_++] = Gap{begin, begin + frames, cause};
}

void Tap::play(Frames begin, std::uint32_t frames, Cause absence, GapSink& gaps) noexcept {
  told_ = &gaps;
  if (!begun_) {
    aligner_.start_at(begin);
    begun_ = true;
  }
  const auto first_kept = std::find_if(gaps_.begin(), gaps_.begin() + gap_count_,
                                       [&](const Gap& gap) { return gap.end > begin; });
  const auto past = static_cast<std::size_t>(first_kept - gaps_.begin());
  std::move(first_kept, gaps_.begin() + gap_count_, gaps_.begin());
  gap_count_ -= past;

  place_packets(feed_, aligner_, begin + frames, *this, [&] { return gap_count_ + 2 < kMaxGaps; });
  taken_ = aligner_.take(begin, frames, room_.data(), absence, *this);
  told_ = nullptr;
}

Tap::Stretch Tap::stretch_at(Frames position, Frames end) const noexcept {
  for (std::size_t i = 0; i < gap_count_; ++i) {
    const Gap& gap = gaps_[i];
    if (gap.end <= position) continue;
    if (gap.begin > position) return {std::min(end, gap.begin), false, {}};
    return {std::min(end, gap.end), true, gap.cause};
  }
  return {end, false, {}};
}

MixedSource::MixedSource(std::uint32_t channels, std::uint32_t capacity_frames,
                         std::uint32_t timeline_rate)
    : channels_(channels),
      capacity_frames_(capacity_frames),
      timeline_rate_(timeline_rate),
      no_clock_(std::make_shared<ClockDomain>(timeline_rate)),
      shown_clock_(no_clock_.get()),
      piece_room_(channels) {
  PYPAC_ASSERT_NOT_REALTIME();
}

MixedSource::~MixedSource() {
  stop();
}

void MixedSource::start(HostTime origin) {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::lock_guard lock(control_);
  running_ = true;
  origin_ = origin;
  for (std::size_t i = 0; i < tap_count_.load(); ++i) taps_[i]->start(origin);
}

void MixedSource::stop() noexcept {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::lock_guard lock(control_);
  running_ = false;
  for (std::size_t i = 0; i < tap_count_.load(); ++i) taps_[i]->stop();
}

std::shared_ptr<Tap> MixedSource::add_tap(std::shared_ptr<ClockDomain> domain) {
  const std::lock_guard lock(control_);
  const std::size_t count = tap_count_.load();
  if (count == kMaxTaps) return nullptr;
  if (!domain) domain = std::make_shared<ClockDomain>(timeline_rate_);
  taps_[count] = std::make_shared<Tap>(channels_, capacity_frames_, std::move(domain));
  if (running_) taps_[count]->start(origin_);
  tap_count_.store(count + 1, std::memory_order_release);
  return taps_[count];
}

std::uint64_t MixedSource::packets() const noexcept {
  std::uint64_t sum = 0;
  const std::size_t count = tap_count_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) sum += taps_[i]->packets();
  return sum;
}

Source::Taken MixedSource::read(const Wanted& wanted, GapSink& gaps) noexcept {
  if (wanted.frames <= Tap::kMaxPiece) {
    const std::uint32_t captured = read_piece(wanted, gaps);
    if (captured == wanted.frames)
      if (const float* const* const shown = only_tap(wanted)) return {captured, shown};
    add_up(wanted);
    return {captured, wanted.room};
  }
  std::uint32_t captured = 0;
  for (std::uint32_t done = 0; done < wanted.frames;) {
    Wanted piece = wanted;
    piece.begin += done;
    piece.frames = std::min(wanted.frames - done, Tap::kMaxPiece);
    for (std::uint32_t c = 0; c < channels_; ++c) piece_room_[c] = wanted.room[c] + done;
    piece.room = piece_room_.data();
    captured += read_piece(piece, gaps);
    add_up(piece);
    done += piece.frames;
  }
  return {captured, wanted.room};
}

void MixedSource::play_taps(const Wanted& piece, Cause absence, GapSink& gaps) noexcept {
  for (std::size_t i = tap_count_.load(std::memory_order_acquire); i-- > 0;) {
    taps_[i]->play(piece.begin, piece.frames, absence, gaps);
    if (taps_[i]->taken_.captured > 0) {
      const ClockDomain* const clock = taps_[i]->clock_.load(std::memory_order_acquire);
      shown_clock_.store(clock, std::memory_order_release);
    }
  }
}

std::uint32_t MixedSource::read_piece(const Wanted& piece, GapSink& gaps) noexcept {
  const std::size_t count = tap_count_.load(std::memory_order_acquire);
  const Cause absence = absence_now(count);
  play_taps(piece, absence, gaps);
  const Frames end = piece.begin + piece.frames;
  Frames captured = 0;
  for (Frames at = piece.begin; at < end;) {
    Frames until = end;
    bool sounds = false;
    Cause cause = absence;
    for (std::size_t i = 0; i < count; ++i) {
      const Tap::Stretch stretch = taps_[i]->stretch_at(at, end);
      until = std::min(until, stretch.end);
      sounds = sounds || !stretch.silent;
      // Where the source is captured by now, what kept the tap is the better reason.
      const bool vague = cause == Cause::stalled || cause == Cause::underrun;
      if (stretch.silent && (is_loss(stretch.cause) || vague)) cause = stretch.cause;
    }
    if (sounds) {
      for (std::size_t i = 0; i < count; ++i) {
        const Tap::Stretch stretch = taps_[i]->stretch_at(at, end);
        if (stretch.silent && is_loss(stretch.cause)) gaps.incident(stretch.cause, at, until - at);
      }
      in_hole_ = false;
      heard_ = true;
      captured += until - at;
    } else {
      hole_cause_ = cause_of_hole(cause, until < end);
      in_hole_ = true;
      gaps.incident(hole_cause_, at, until - at);
    }
    at = until;
  }
  shown_absence_.store(in_hole_ ? hole_cause_ : absence, std::memory_order_relaxed);
  return static_cast<std::uint32_t>(captured);
}

Cause MixedSource::cause_of_hole(Cause found, bool ends) noexcept {
  // What ends within the block is the rest of what was told before: an absence does not become
  // another one because it is over.
  if (!ends) return found;
  if (!heard_) return Cause::starting;
  return in_hole_ && hole_cause_ != Cause::stalled ? hole_cause_ : found;
}

const float* const* MixedSource::only_tap(const Wanted& piece) const noexcept {
  const std::size_t count = tap_count_.load(std::memory_order_acquire);
  const Tap* only = nullptr;
  for (std::size_t i = 0; i < count; ++i) {
    if (taps_[i]->taken_.captured == 0) continue;
    if (only || taps_[i]->taken_.captured < piece.frames) return nullptr;
    only = taps_[i].get();
  }
  return only ? only->taken_.channels : nullptr;
}

Cause MixedSource::absence_now(std::size_t taps) const noexcept {
  const Cause absence = absence_.load(std::memory_order_relaxed);
  if (absence != Cause::underrun || restarting_.load(std::memory_order_relaxed)) return absence;
  const auto end = taps_.begin() + static_cast<std::ptrdiff_t>(taps);
  const bool skips = std::any_of(
      taps_.begin(), end, [](const std::shared_ptr<Tap>& tap) { return tap->feed_.skipping(); });
  return skips ? Cause::underrun : Cause::stalled;
}

void MixedSource::add_up(const Wanted& piece) const noexcept {
  const std::uint32_t frames = piece.frames;
  const std::size_t count = tap_count_.load(std::memory_order_acquire);
  bool first = true;
  for (std::size_t i = 0; i < count; ++i) {
    const Aligner::Taken& taken = taps_[i]->taken_;
    if (taken.captured == 0) continue;
    for (std::uint32_t c = 0; c < channels_; ++c) {
      float* const out = piece.room[c];
      if (first) {
        std::memcpy(out, taken.channels[c], frames * sizeof(float));
      } else {
        for (std::uint32_t f = 0; f < frames; ++f) out[f] += taken.channels[c][f];
      }
    }
    first = false;
  }
  if (!first) return;
  for (std::uint32_t c = 0; c < channels_; ++c) std::fill_n(piece.room[c], frames, 0.0F);
}

}  // namespace pypac
