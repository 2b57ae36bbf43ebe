// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <obs-module.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/time.hpp"
#include "obs_plugin/audio_rounds.hpp"
#include "obs_plugin/delay_histogram.hpp"
#include "sinks/shared_track_reader.hpp"

namespace pypac::obs_plugin {

/// One shared track on its way into one OBS source.
///
/// Frames keep their host time: OBS gets frame n with the stamp TimelineAnchor::host_time_of(n),
/// whatever source it goes to, so tracks stay aligned to the frame. OBS appends what is stamped
/// less than 70 ms after the end of what it has, so a hole that short is filled with silence here;
/// longer ones it places by their stamps. And it lets a source slip that is late for a round of its
/// mixer (AudioRounds): that is noticed, and the source begins anew, in its place.
///
/// It holds the source weakly, so it may live on for a moment after OBS has destroyed that.
class TrackFeed {
 public:
  /// What OBS gets in one call at most.
  static constexpr std::uint32_t kFramesAtOnce = 1024;

  /// What frames pass through on their way. Those feeds share it that one thread delivers: for
  /// each of them it would have to come into the processor's cache anew.
  struct Room {
    std::array<std::array<float, kFramesAtOnce>, shared_track::kMaxChannels> planes;
    std::shared_ptr<SharedTrackReader::Room> reader = std::make_shared<SharedTrackReader::Room>();
  };

  /// [OBS's threads] Valid names or not: one that nothing can lie under is never there.
  TrackFeed(obs_source_t* source, std::string session, std::string track,
            std::shared_ptr<Room> room = std::make_shared<Room>());
  ~TrackFeed();
  TrackFeed(const TrackFeed&) = delete;
  TrackFeed& operator=(const TrackFeed&) = delete;

  /// [delivery thread] Hands to OBS what is there at `now`, and returns when the next is due.
  [[nodiscard]] HostTime deliver(HostTime now, AudioRounds& rounds) noexcept;

  [[nodiscard]] const std::string& session() const noexcept { return session_; }
  [[nodiscard]] const std::string& track() const noexcept { return track_; }

  // [any-thread] What has happened so far.
  [[nodiscard]] SharedTrackState state() const noexcept { return state_.load(); }
  [[nodiscard]] std::uint32_t sample_rate() const noexcept { return sample_rate_.load(); }
  [[nodiscard]] std::uint32_t channels() const noexcept { return channels_.load(); }
  /// Frames that OBS got, those of filled holes not among them.
  [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_.load(); }
  /// Frames that were written while it was attached, and that OBS did not get or did not play.
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_.load(); }
  /// From the moment that a block could be written until OBS had it, of the oldest one in each
  /// call.
  [[nodiscard]] const DelayHistogram& delays() const noexcept { return delays_; }

 private:
  /// True: the state is another one than OBS knows of.
  [[nodiscard]] bool look(HostTime now) noexcept;
  void hand_over(obs_source_t* source, HostTime now) noexcept;
  /// True: OBS, which had frames up to `end`, has let the source slip, or dropped what it had.
  [[nodiscard]] static bool has_slipped(const obs_source_t* source, HostTime end) noexcept;
  void begin_anew() noexcept;
  /// Chooses the frame that OBS gets first. False: not now.
  [[nodiscard]] bool begin(const obs_source_t* source, HostTime now, AudioRounds& rounds) noexcept;
  /// Makes OBS place what comes next by its stamp.
  void jump(obs_source_t* source, HostTime now) noexcept;
  void output(obs_source_t* source, std::uint32_t frames, HostTime stamp) noexcept;
  void fill(obs_source_t* source, HostTime until) noexcept;
  [[nodiscard]] HostTime due_at(Frames end) const noexcept;
  [[nodiscard]] HostTime next_due(HostTime now) const noexcept;

  const std::string session_;
  const std::string track_;
  obs_weak_source_t* const source_;

  // The delivery thread's only.
  const std::shared_ptr<Room> room_;
  SharedTrackReader reader_;
  shared_track::SessionId session_id_{};
  HostTime settled_at_{};  // nothing before; 0: not called yet
  HostTime next_look_{};
  bool began_ = false;  // OBS has got frames of this session
  unsigned slips_ = 0;
  // Of OBS's mixer, as of the begin.
  HostTime round_length_{};  // 0: not known
  HostTime round_at_{};      // when some round was mixed
  HostTime delay_{};         // how old what it then mixes is, at its end
  HostTime slack_;           // how late frames may come beyond what they must
  Frames next_frame_ = 0;    // behind the last one read; 0: none of this session
  HostTime end_{};           // host time where what OBS has got ends; 0: nothing

  std::atomic<SharedTrackState> state_ = SharedTrackState::absent;
  std::atomic<std::uint32_t> sample_rate_ = 0;
  std::atomic<std::uint32_t> channels_ = 0;
  std::atomic<std::uint64_t> delivered_ = 0;
  std::atomic<std::uint64_t> lost_ = 0;
  DelayHistogram delays_;
};

}  // namespace pypac::obs_plugin
