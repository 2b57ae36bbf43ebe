// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <media-io/audio-io.h>

#include <atomic>
#include <cstdint>

#include "core/host_clock.hpp"

namespace pypac::obs_plugin {

/// When OBS mixes: every 1024 frames, at the end of what it then mixes or, with n rounds of
/// buffering, n rounds later.
///
/// It matters when and with which frame a source begins. In each round OBS looks for 1024 frames
/// from where it is in the source. If they are not there yet, the source is silent in this round,
/// and OBS goes on in the next one with the frames that it should have had in this: from then on
/// the source is a round late against picture and other sources. Only what begins *before* the
/// round makes it buffer instead: it counts how many rounds earlier the first frame lies, and
/// delays everything by as much. So a source begins well if its first frame comes just after a
/// round was mixed, and lies at the begin of the round that will just be complete in the next one.
///
/// Example: a track comes 15 ms late. Just after the round that ends at 42.7 ms, its frames from
/// 21.4 ms on are handed over: at 64 ms there are 27.6 ms of them, so that OBS mixes, and they
/// begin 21.2 ms too early: one round of buffering, which is what a delay of 15 ms needs.
///
/// For the delivery thread.
class AudioRounds {
 public:
  enum class Answer {
    unknown,     // OBS does not tell: begin with any frame
    wait,        // ask again in a few milliseconds
    just_mixed,  // begin now
  };

  /// The clock outlives it.
  explicit AudioRounds(const HostClock& clock) : clock_(clock) {}
  ~AudioRounds();
  AudioRounds(const AudioRounds&) = delete;
  AudioRounds& operator=(const AudioRounds&) = delete;

  [[nodiscard]] Answer ask(HostTime now) noexcept;

  /// How many rounds of buffering OBS needs for frames that come `late` at most. After any answer
  /// but `unknown`, as the two below.
  [[nodiscard]] std::int64_t needed_for(HostTime late) const noexcept;
  /// Where a source of this rate begins that has so many rounds: after `just_mixed`. The first
  /// frame from there on is that of a round: in a scene, OBS up to 29.0 mixes what begins p frames
  /// later 2 p frames too early, in its first round.
  [[nodiscard]] HostTime begin(std::int64_t rounds, std::uint32_t sample_rate) const noexcept;
  /// When some round was mixed, and how long each is.
  [[nodiscard]] HostTime mixed_at() const noexcept { return HostTime(mixed_at_.load()); }
  [[nodiscard]] HostTime length() const noexcept { return length_; }

  /// [delivery thread] A pass is over: listens to OBS only for as long as somebody asks in each,
  /// for OBS does not let its audio settings be changed meanwhile.
  void end_pass() noexcept;

 private:
  static void hear(void* self, std::size_t mix, audio_data* data);
  void disconnect() noexcept;

  const HostClock& clock_;
  bool connected_ = false;
  bool asked_ = false;  // in this pass
  HostTime asked_since_{};
  std::uint32_t sample_rate_ = 0;           // OBS's
  HostTime length_{};                       // written while not connected
  std::atomic<std::int64_t> mixed_at_ = 0;  // when the newest round ended; 0: none was heard
};

}  // namespace pypac::obs_plugin
