// SPDX-License-Identifier: GPL-2.0-or-later
#include "obs_plugin/track_feed.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "obs_plugin/log.hpp"

namespace pypac::obs_plugin {

using std::chrono::milliseconds;

namespace {

// OBS takes a new source into its rounds only after it was made: what it gets before that ages.
constexpr HostTime kSettling = milliseconds(100);
// Where there is nothing to deliver. The reader looks for files as seldom as that itself.
constexpr HostTime kIdle = milliseconds(200);
// The first frames of a session are not to be late.
constexpr HostTime kStarting = milliseconds(3);
// How often a running session is looked at for its end.
constexpr HostTime kLook = milliseconds(200);
// When OBS gets frames: so long before each round of its mixer, and halfway between.
constexpr HostTime kBeforeRound = milliseconds(6);
// After a block is due the pump still has to make it.
constexpr HostTime kGrace = milliseconds(1);
constexpr HostTime kAgain = milliseconds(1);
// A writer that is later than that is asked less often.
constexpr HostTime kSlow = milliseconds(20);
constexpr HostTime kAgainSlowly = milliseconds(5);
// Frames that are later than that OBS does not get: it would delay all its sources for them, up to
// 960 ms and for good.
constexpr HostTime kTooLate = milliseconds(500);
// Stamps that are ahead of the clock are not from a session's pump.
constexpr HostTime kTooEarly = milliseconds(100);
// How much later frames may come than they must: OBS buffers for that, a round of 21 ms in all
// where the latency is 10 ms. Each time that they came too late it is a round more.
constexpr HostTime kSlack = milliseconds(5);
constexpr HostTime kMoreSlack = milliseconds(21);
constexpr HostTime kMostSlack = milliseconds(500);
constexpr unsigned kSlipsTold = 10;
// OBS places what is stamped at least 70 ms from where it expects it.
constexpr HostTime kJump = milliseconds(200);
// OBS appends across holes of less than 70 ms; more does not harm.
constexpr HostTime kFilled = milliseconds(100);
// So that one track never holds up the others.
constexpr int kReadsAtOnce = 64;

speaker_layout layout_of(std::uint32_t channels) {
  switch (channels) {
    case 1:
      return SPEAKERS_MONO;
    case 2:
      return SPEAKERS_STEREO;
    case 3:
      return SPEAKERS_2POINT1;
    case 4:
      return SPEAKERS_4POINT0;
    case 5:
      return SPEAKERS_4POINT1;
    case 6:
      return SPEAKERS_5POINT1;
    case 8:
      return SPEAKERS_7POINT1;
    default:
      return SPEAKERS_UNKNOWN;
  }
}

// One thread writes each of the counters.
void add(std::atomic<std::uint64_t>& counter, std::uint64_t more) {
  counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

}  // namespace

TrackFeed::TrackFeed(obs_source_t* source, std::string session, std::string track,
                     std::shared_ptr<Room> room)
    : session_(std::move(session)),
      track_(std::move(track)),
      source_(obs_source_get_weak_source(source)),
      room_(std::move(room)),
      reader_(session_, track_, room_->reader),
      slack_(kSlack) {}

TrackFeed::~TrackFeed() {
  if (delivered() > 0) {
    const auto ms = [&](double share) {
      return std::chrono::duration<double, std::milli>(delays_.quantile(share)).count();
    };
    log(LOG_INFO,
        "track '%s' of '%s': %llu frames delivered, %llu lost; delay %.1f ms (median), "
        "%.1f ms (99 %%), %.1f ms (longest)",
        track_.c_str(), session_.c_str(), static_cast<unsigned long long>(delivered()),
        static_cast<unsigned long long>(lost()), ms(0.5), ms(0.99), ms(1.0));
  }
  obs_weak_source_release(source_);
}

HostTime TrackFeed::deliver(HostTime now, AudioRounds& rounds) noexcept {
  if (settled_at_ == HostTime(0)) settled_at_ = now + kSettling;
  if (now < settled_at_) return settled_at_;
  bool changed = false;
  if (now >= next_look_ || reader_.state() != SharedTrackState::running) {
    next_look_ = now + kLook;
    changed = look(now);
  }
  const SharedTrackState state = reader_.state();
  const bool has_frames = state == SharedTrackState::running || state == SharedTrackState::ended;
  if (!changed && !has_frames) return next_due(now);
  // With a reference of our own OBS can't destroy it meanwhile; none is to be had if it does.
  obs_source_t* const source = obs_weak_source_get_source(source_);
  if (source == nullptr) return now + kIdle;
  if (changed) obs_source_update_properties(source);
  if (has_frames) {
    if (began_ && has_slipped(source, end_)) begin_anew();
    if (began_ || begin(source, now, rounds)) hand_over(source, now);
  }
  obs_source_release(source);
  return next_due(now);
}

bool TrackFeed::look(HostTime now) noexcept {
  const SharedTrackState state = reader_.poll(now);
  const SharedTrackInfo& info = reader_.info();
  if (state == SharedTrackState::starting || state == SharedTrackState::running) {
    if (info.session_id != session_id_) {
      session_id_ = info.session_id;
      began_ = false;
      next_frame_ = 0;
    }
    sample_rate_.store(info.anchor.sample_rate, std::memory_order_relaxed);
    channels_.store(info.channels, std::memory_order_relaxed);
  }
  if (state == state_.load(std::memory_order_relaxed)) return false;
  state_.store(state, std::memory_order_relaxed);
  log(LOG_INFO, "track '%s' of '%s' is %s", track_.c_str(), session_.c_str(), name_of(state));
  return true;
}

void TrackFeed::hand_over(obs_source_t* source, HostTime now) noexcept {
  const SharedTrackInfo& info = reader_.info();
  const bool beginning = !began_;
  std::array<float*, shared_track::kMaxChannels> planes{};
  for (std::size_t i = 0; i < planes.size(); ++i) planes[i] = room_->planes[i].data();
  for (int reads = 0; reads < kReadsAtOnce; ++reads) {
    const auto read = reader_.read(planes.data(), kFramesAtOnce);
    if (read.frames == 0) return;
    if (began_ && read.start < next_frame_) {
      // It was attached again. No frame twice.
      reader_.start_at(next_frame_);
      continue;
    }
    const Frames end = read.start + read.frames;
    const HostTime stamp = info.anchor.host_time_of(read.start);
    const HostTime late = now - due_at(end);
    const bool in_time = late < kTooLate && stamp < now + kTooEarly;
    if (next_frame_ > 0) {
      const Frames missing = read.start - next_frame_ + (in_time ? 0 : Frames{read.frames});
      if (missing > 0) add(lost_, static_cast<std::uint64_t>(missing));
    }
    // What was given to OBS before the source slipped, it gets once more.
    const Frames fresh = end - std::max(read.start, next_frame_);
    next_frame_ = std::max(next_frame_, end);
    if (!in_time) continue;
    const bool goes_on = began_;
    const HostTime had = end_;
    if (goes_on)
      fill(source, stamp);
    else
      jump(source, now);
    began_ = true;
    output(source, read.frames, stamp);
    // OBS may have let it slip between the look at it and this. From now on that would not show, as
    // it has frames again. To begin anew without need does no harm.
    const bool slipped = goes_on && has_slipped(source, had);
    if (fresh > 0) add(delivered_, static_cast<std::uint64_t>(fresh));
    // Of the block that waited longest.
    if (!beginning)
      delays_.add(now - due_at(read.start + std::min(info.block_frames, read.frames)));
    if (slipped) return begin_anew();
    if (read.frames < kFramesAtOnce) return;
  }
}

bool TrackFeed::has_slipped(const obs_source_t* source, HostTime end) noexcept {
  // What is only monitored is never mixed.
  if (obs_source_get_monitoring_type(source) == OBS_MONITORING_TYPE_MONITOR_ONLY) return false;
  const auto place = HostTime(static_cast<std::int64_t>(obs_source_get_audio_timestamp(source)));
  // It cannot have got beyond what it was given, but by going on without it.
  const HostTime rounding = std::chrono::microseconds(1);
  return place == HostTime(0) ||
         place > end + HostTime(obs_source_get_sync_offset(source)) + rounding;
}

void TrackFeed::begin_anew() noexcept {
  began_ = false;
  slack_ = std::min(slack_ + kMoreSlack, kMostSlack);
  add(lost_, AUDIO_OUTPUT_FRAMES);
  if (++slips_ <= kSlipsTold)
    log(LOG_INFO, "track '%s' of '%s' came too late, and begins anew", track_.c_str(),
        session_.c_str());
}

bool TrackFeed::begin(const obs_source_t* source, HostTime now, AudioRounds& rounds) noexcept {
  const SharedTrackInfo& info = reader_.info();
  // One that ended before it began, and one that OBS can't have.
  if (info.session_id != session_id_ || layout_of(info.channels) == SPEAKERS_UNKNOWN) return false;
  const TimelineAnchor& anchor = info.anchor;
  const HostTime offset(obs_source_get_sync_offset(source));
  switch (rounds.ask(now)) {
    case AudioRounds::Answer::unknown:
      round_length_ = HostTime(0);
      return true;
    case AudioRounds::Answer::wait:
      return false;
    case AudioRounds::Answer::just_mixed:
      break;
  }
  const HostTime late = due_at(info.block_frames) - anchor.origin + slack_ - offset;
  round_length_ = rounds.length();
  round_at_ = rounds.mixed_at();
  delay_ = rounds.needed_for(late) * round_length_ + offset;
  const HostTime first = rounds.begin(rounds.needed_for(late), anchor.sample_rate) - offset;
  const auto frame = static_cast<Frames>(std::ceil(anchor.position_of(first)));
  // A session that has just begun has no such frame yet.
  if (frame < info.first_frame) return false;
  reader_.start_at(frame);
  return true;
}

void TrackFeed::jump(obs_source_t* source, HostTime now) noexcept {
  const SharedTrackInfo& info = reader_.info();
  static constexpr float kSilence = 0.0F;
  obs_source_audio audio{};
  for (std::uint32_t channel = 0; channel < info.channels; ++channel)
    audio.data[channel] = reinterpret_cast<const std::uint8_t*>(&kSilence);
  audio.frames = 1;
  audio.speakers = layout_of(info.channels);
  audio.format = AUDIO_FORMAT_FLOAT_PLANAR;
  audio.samples_per_sec = info.anchor.sample_rate;
  audio.timestamp = static_cast<std::uint64_t>((now + kJump).count());
  obs_source_output_audio(source, &audio);
}

void TrackFeed::output(obs_source_t* source, std::uint32_t frames, HostTime stamp) noexcept {
  const SharedTrackInfo& info = reader_.info();
  obs_source_audio audio{};
  for (std::uint32_t channel = 0; channel < info.channels; ++channel)
    audio.data[channel] = reinterpret_cast<const std::uint8_t*>(room_->planes[channel].data());
  audio.frames = frames;
  audio.speakers = layout_of(info.channels);
  audio.format = AUDIO_FORMAT_FLOAT_PLANAR;
  audio.samples_per_sec = info.anchor.sample_rate;
  audio.timestamp = static_cast<std::uint64_t>(stamp.count());
  obs_source_output_audio(source, &audio);
  end_ = stamp + TimelineAnchor{HostTime(0), info.anchor.sample_rate}.host_time_of(frames);
}

void TrackFeed::fill(obs_source_t* source, HostTime until) noexcept {
  const HostTime hole = until - end_;
  if (end_ == HostTime(0) || hole <= HostTime(0) || hole > kFilled) return;
  const SharedTrackInfo& info = reader_.info();
  // Stamps are whole nanoseconds, holes whole frames.
  const double length = std::chrono::duration<double>(hole).count() * info.anchor.sample_rate;
  const Frames frames = std::llround(length);
  static constexpr std::array<float, kFramesAtOnce> kSilence{};
  obs_source_audio audio{};
  for (std::uint32_t channel = 0; channel < info.channels; ++channel)
    audio.data[channel] = reinterpret_cast<const std::uint8_t*>(kSilence.data());
  audio.speakers = layout_of(info.channels);
  audio.format = AUDIO_FORMAT_FLOAT_PLANAR;
  audio.samples_per_sec = info.anchor.sample_rate;
  const TimelineAnchor from{end_, info.anchor.sample_rate};
  for (Frames filled = 0; filled < frames; filled += audio.frames) {
    audio.frames = static_cast<std::uint32_t>(std::min<Frames>(kFramesAtOnce, frames - filled));
    audio.timestamp = static_cast<std::uint64_t>(from.host_time_of(filled).count());
    obs_source_output_audio(source, &audio);
  }
}

HostTime TrackFeed::due_at(Frames end) const noexcept {
  const SharedTrackInfo& info = reader_.info();
  return info.anchor.host_time_of(end + info.latency_frames);
}

HostTime TrackFeed::next_due(HostTime now) const noexcept {
  switch (reader_.state()) {
    case SharedTrackState::starting:
      return now + kStarting;
    case SharedTrackState::running:
      break;
    default:
      return now + kIdle;
  }
  if (!began_) return now + kStarting;
  if (round_length_ == HostTime(0)) {
    const HostTime due = due_at(next_frame_ + reader_.info().block_frames);
    if (now < due) return std::min(due + kGrace, now + kIdle);
    return now + (now - due < kSlow ? kAgain : kAgainSlowly);
  }
  const HostTime into = (now - round_at_) % round_length_;
  const HostTime next_round = now - into + round_length_;
  const HostTime urgent = next_round - kBeforeRound;
  if (now < urgent) {
    const HostTime halfway = urgent - round_length_ / 2;
    return now < halfway ? halfway : urgent;
  }
  // Missing is what this round needs, and OBS has not got yet.
  if (end_ < next_round - delay_) return std::min(now + kAgain, next_round + kAgain);
  return urgent + round_length_ / 2;
}

}  // namespace pypac::obs_plugin
