// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "capture/binding.hpp"
#include "timeline/packet.hpp"

namespace pypac {

/// What a source's silence means, or that there is none.
enum class SourceState : std::uint8_t {
  not_running,   // no program matches
  no_stream,     // the program runs and has no audio stream
  starting,      // a stream was found; its first frame has not come
  capturing,     // frames come
  paused,        // every stream is paused by its program
  muted,         // every playing stream is muted, or its volume is 0
  frozen,        // a bound program is stopped (SIGSTOP): the audio system waits for it
  blind_tap,     // its meter moves and only silence comes: it hides from capture (Windows)
  refused,       // it can't be captured without something else (Windows)
  stalled,       // linked, and no frame comes
  backend_lost,  // the audio system went away
};

/// All that a source's state follows from.
struct StateFacts {
  // What the audio system says of it.
  bool backend_lost = false;
  Presence presence = Presence::not_running;
  bool refused = false;     // what matches cannot be captured alone
  bool has_stream = false;  // there is audio to capture
  bool frozen = false;      // each stream is a frozen program's
  bool playing = false;     // a stream plays
  bool audible = false;     // one that plays is neither muted nor of volume 0

  // What comes of it.
  bool open = false;             // the audio system captures it, as far as it says so
  bool opening = false;          // it is being asked to
  bool delivers = false;         // frames came just now
  bool sounds = false;           // and they are known not to be silence
  bool frames_of_muted = false;  // this audio system gives frames of muted programs, too
  bool fresh = false;            // bound, or gone on after a pause, just now
  bool hidden = false;           // its meter moves, and for long only silence came
};

/// [any-thread] The state by what the audio system says alone: of what is not captured yet.
[[nodiscard]] SourceState told_state(const StateFacts& facts) noexcept;

/// [any-thread] The state of a source. What comes is worth more than what is said of it.
[[nodiscard]] SourceState source_state(const StateFacts& facts) noexcept;

/// [any-thread] What the ledger calls frames that are missing in this state.
[[nodiscard]] Cause absence_cause(SourceState state) noexcept;

/// Each has words of its own for what happens in it.
enum class AudioSystem : std::uint8_t { pipewire, windows };

/// All that the sentence for a state follows from, beside the state.
struct ReasonFacts {
  AudioSystem system = AudioSystem::pipewire;
  bool device = false;           // it captures an input
  bool previewed = false;        // it is not captured, only looked at
  bool program_runs = false;     // a program that it names runs
  bool lacks_inputs = false;     // its device has none of the inputs that it names
  bool capture_removed = false;  // somebody took our capture away, or refuses it
  std::string refusal{};         // why, or why it cannot be opened; empty: it was not said
  std::string remedy{};          // what the user can do about that; empty: not known
  std::string frozen_program{};  // that holds the audio system up; empty: none
  std::string system_failure{};  // Windows: why the audio service is lost
  // Windows, each as a list for people, or empty: programs that started what must not be captured;
  // that may be other ones by now; that this one has started and that play.
  std::string entangled{};
  std::string unidentified{};
  std::string own{};
  std::vector<std::string> playing{};  // programs that it leaves out and that play now
  std::vector<std::string> inputs{};   // of a device: those that are there
};

/// [any-thread] The state in a plain sentence.
[[nodiscard]] std::string state_reason(SourceState state, const ReasonFacts& facts);

}  // namespace pypac
