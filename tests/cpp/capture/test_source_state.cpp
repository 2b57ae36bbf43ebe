// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "capture/source_state.hpp"

using pypac::AudioSystem;
using pypac::Cause;
using pypac::Presence;
using pypac::ReasonFacts;
using pypac::SourceState;
using pypac::StateFacts;

namespace {

/// A program that plays and is captured.
StateFacts plays() {
  StateFacts facts;
  facts.presence = Presence::bound;
  facts.has_stream = true;
  facts.playing = true;
  facts.audible = true;
  facts.open = true;
  facts.delivers = true;
  return facts;
}

struct StateRow {
  const char* what;
  void (*change)(StateFacts&);  // of a program that plays and is captured
  SourceState told;
  SourceState state;
};

struct ReasonRow {
  SourceState state;
  ReasonFacts facts;
  const char* reason;
};

}  // namespace

TEST_CASE("a source's state follows from the facts") {
  const std::vector<StateRow> rows{
      {"it plays", [](StateFacts&) {}, SourceState::capturing, SourceState::capturing},
      {"nothing is known", [](StateFacts& facts) { facts = {}; }, SourceState::not_running,
       SourceState::not_running},
      {"the audio system has gone", [](StateFacts& facts) { facts.backend_lost = true; },
       SourceState::backend_lost, SourceState::backend_lost},
      {"the audio system does not answer, and frames come",
       [](StateFacts& facts) { facts.backend_lost = facts.sounds = true; },
       SourceState::backend_lost, SourceState::capturing},
      {"no program, and its capture is still open",
       [](StateFacts& facts) { facts.presence = Presence::not_running; }, SourceState::not_running,
       SourceState::not_running},
      {"no stream", [](StateFacts& facts) { facts.presence = Presence::no_stream; },
       SourceState::no_stream, SourceState::no_stream},
      {"no audio in what is bound", [](StateFacts& facts) { facts.has_stream = false; },
       SourceState::no_stream, SourceState::no_stream},
      {"not alone", [](StateFacts& facts) { facts.refused = true; }, SourceState::refused,
       SourceState::refused},
      {"frozen", [](StateFacts& facts) { facts.frozen = true; }, SourceState::frozen,
       SourceState::frozen},
      {"paused", [](StateFacts& facts) { facts.playing = facts.audible = false; },
       SourceState::paused, SourceState::paused},
      {"muted", [](StateFacts& facts) { facts.audible = false; }, SourceState::muted,
       SourceState::muted},
      {"muted, and no frames, which need not come",
       [](StateFacts& facts) { facts.audible = facts.delivers = false; }, SourceState::muted,
       SourceState::muted},
      {"muted, and no frames, which should come",
       [](StateFacts& facts) {
         facts.audible = facts.delivers = false;
         facts.frames_of_muted = true;
       },
       SourceState::muted, SourceState::stalled},
      {"just bound",
       [](StateFacts& facts) {
         facts.delivers = false;
         facts.fresh = true;
       },
       SourceState::capturing, SourceState::starting},
      {"no frames", [](StateFacts& facts) { facts.delivers = false; }, SourceState::capturing,
       SourceState::stalled},
      {"being opened",
       [](StateFacts& facts) {
         facts.open = false;
         facts.opening = true;
       },
       SourceState::capturing, SourceState::starting},
      {"cannot be opened", [](StateFacts& facts) { facts.open = false; }, SourceState::capturing,
       SourceState::stalled},
      {"its meter moves, and only silence comes", [](StateFacts& facts) { facts.hidden = true; },
       SourceState::capturing, SourceState::blind_tap},
      {"called muted, and heard",
       [](StateFacts& facts) {
         facts.audible = false;
         facts.sounds = true;
       },
       SourceState::muted, SourceState::capturing},
  };
  for (const StateRow& row : rows) {
    CAPTURE(row.what);
    StateFacts facts = plays();
    row.change(facts);
    CHECK(pypac::told_state(facts) == row.told);
    CHECK(pypac::source_state(facts) == row.state);
  }
}

TEST_CASE("each state has a sentence, which says what is known") {
  constexpr AudioSystem kWindows = AudioSystem::windows;
  const std::vector<ReasonRow> rows{
      {SourceState::not_running, {}, "The program is not running."},
      {SourceState::not_running, {.device = true}, "The device is not there. There is no input."},
      {SourceState::not_running,
       {.device = true, .inputs = {"Headset", "", "Headset"}},
       "The device is not there. There is only \"Headset\"."},
      {SourceState::not_running,
       {.device = true, .inputs = {"g", "f", "e", "d", "c", "b", "a"}},
       "The device is not there. There are \"a\", \"b\", \"c\", \"d\", \"e\", \"f\" and 1 more."},
      {SourceState::no_stream, {}, "No program plays audio."},
      {SourceState::no_stream,
       {.playing = {"b", "a", "b", "c"}},
       "Only programs that are left out play audio: a, b and c."},
      {SourceState::no_stream,
       {.program_runs = true},
       "The program is running and has no audio stream."},
      {SourceState::no_stream,
       {.system = kWindows, .program_runs = true},
       "The program is running and has no audio stream, unless it plays past Windows' mixer "
       "(exclusive mode, ASIO)."},
      {SourceState::no_stream,
       {.lacks_inputs = true},
       "The device has none of the inputs that `channels` names."},
      {SourceState::starting, {}, "The stream was found; its first frame has not come yet."},
      {SourceState::starting,
       {.system = kWindows},
       "The capture was asked for; its first frame has not come yet."},
      {SourceState::capturing, {}, "Frames come."},
      {SourceState::capturing, {.previewed = true}, "It plays."},
      {SourceState::capturing,
       {.system = kWindows, .entangled = "a.exe"},
       "Frames come, but not of a.exe itself: it has started something that is not to be "
       "captured."},
      {SourceState::capturing,
       {.system = kWindows, .own = "a.exe"},
       "Frames come. a.exe is left out: of the whole system, what this program has started is not "
       "captured."},
      {SourceState::paused, {}, "The program has paused its audio."},
      {SourceState::paused, {.device = true}, "The device is idle."},
      {SourceState::muted, {}, "The program is muted, or its volume is 0."},
      {SourceState::muted, {.device = true}, "The device is muted, or its volume is 0."},
      {SourceState::muted,
       {.system = kWindows},
       "The program is muted in Windows' volume mixer, or its volume is 0 there: what is captured "
       "is silent, too."},
      {SourceState::frozen, {}, "The program is frozen (stopped by a signal), and does not play."},
      {SourceState::blind_tap,
       {.system = kWindows},
       "The program plays, and only silence comes: it hides its sound from capture, or plays past "
       "Windows' mixer (exclusive mode)."},
      {SourceState::refused,
       {.system = kWindows, .entangled = "a.exe", .unidentified = "b.exe"},
       "a.exe can't be captured alone: it has started something that is not to be captured."},
      {SourceState::refused,
       {.system = kWindows, .unidentified = "b.exe"},
       "Windows does not tell when b.exe was started, so another program could be captured in its "
       "place: run this program as an administrator."},
      {SourceState::stalled, {}, "The stream is linked, and no frames come."},
      {SourceState::stalled,
       {.frozen_program = "game"},
       "The audio system waits for the frozen program game."},
      {SourceState::stalled,
       {.capture_removed = true, .frozen_program = "game"},
       "PipeWire took the capture away; it is made again."},
      {SourceState::stalled,
       {.capture_removed = true, .refusal = "no memory"},
       "PipeWire refuses the capture (no memory)."},
      {SourceState::stalled, {.system = kWindows}, "The capture is open, and no frames come."},
      {SourceState::stalled,
       {.system = kWindows, .refusal = "Initialize: 0x88890008"},
       "Windows refuses the capture: Initialize: 0x88890008. It is tried again."},
      {SourceState::stalled,
       {.system = kWindows, .refusal = "it is in use", .remedy = "Close the other program."},
       "Windows refuses the capture: it is in use. It is tried again. Close the other program."},
      {SourceState::backend_lost, {}, "PipeWire went away; waiting for it to come back."},
      {SourceState::backend_lost,
       {.system = kWindows, .system_failure = "Windows' audio service does not answer"},
       "Windows' audio service does not answer; waiting for it to come back."},
  };
  for (const ReasonRow& row : rows) CHECK(pypac::state_reason(row.state, row.facts) == row.reason);
}

TEST_CASE("frames that are missing have the state for their cause") {
  CHECK(pypac::absence_cause(SourceState::not_running) == Cause::not_running);
  CHECK(pypac::absence_cause(SourceState::capturing) == Cause::underrun);
  CHECK(pypac::absence_cause(SourceState::muted) == Cause::underrun);
  CHECK(pypac::absence_cause(SourceState::frozen) == Cause::stalled);
  CHECK(pypac::absence_cause(SourceState::refused) == Cause::refused);
  CHECK(pypac::absence_cause(SourceState::backend_lost) == Cause::backend_lost);
}
