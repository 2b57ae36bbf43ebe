// SPDX-License-Identifier: MIT
#include "capture/source_state.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace pypac {
namespace {

// A sentence, not a list: `pypac-obs devices` has them all.
constexpr std::size_t kMostNamed = 6;

std::string nothing_plays(std::vector<std::string> playing) {
  if (playing.empty()) return "No program plays audio.";
  std::ranges::sort(playing);
  playing.erase(std::unique(playing.begin(), playing.end()), playing.end());
  std::string text = "Only programs that are left out play audio: ";
  for (std::size_t i = 0; i < playing.size(); ++i) {
    if (i > 0) text += i + 1 == playing.size() ? " and " : ", ";
    text += playing[i];
  }
  return text + ".";
}

/// Which inputs there are, by the names that a profile takes.
std::string missing_device(std::vector<std::string> inputs) {
  std::erase(inputs, std::string{});
  std::ranges::sort(inputs);
  const auto [again, end] = std::ranges::unique(inputs);
  inputs.erase(again, end);
  std::string reason = "The device is not there.";
  if (inputs.empty()) return reason + " There is no input.";
  const std::size_t named = std::min(inputs.size(), kMostNamed);
  reason += inputs.size() == 1 ? " There is only " : " There are ";
  for (std::size_t i = 0; i < named; ++i) {
    reason += (i == 0 ? "\"" : "\", \"") + inputs[i];
  }
  reason += '"';
  if (inputs.size() > named) reason += " and " + std::to_string(inputs.size() - named) + " more";
  return reason + ".";
}

std::string stalled_reason(const ReasonFacts& facts) {
  if (facts.system == AudioSystem::windows) {
    if (facts.refusal.empty()) return "The capture is open, and no frames come.";
    return "Windows refuses the capture: " + facts.refusal + ". It is tried again." +
           (facts.remedy.empty() ? "" : " ") + facts.remedy;
  }
  if (facts.capture_removed) {
    return facts.refusal.empty() ? "PipeWire took the capture away; it is made again."
                                 : "PipeWire refuses the capture (" + facts.refusal + ").";
  }
  if (facts.frozen_program.empty()) return "The stream is linked, and no frames come.";
  return "The audio system waits for the frozen program " + facts.frozen_program + ".";
}

std::string sentence(SourceState state, const ReasonFacts& facts) {
  const bool windows = facts.system == AudioSystem::windows;
  switch (state) {
    case SourceState::not_running:
      return facts.device ? missing_device(facts.inputs) : "The program is not running.";
    case SourceState::no_stream:
      if (facts.lacks_inputs) return "The device has none of the inputs that `channels` names.";
      if (!facts.program_runs) return nothing_plays(facts.playing);
      return windows ? "The program is running and has no audio stream, unless it plays past "
                       "Windows' mixer (exclusive mode, ASIO)."
                     : "The program is running and has no audio stream.";
    case SourceState::starting:
      return windows ? "The capture was asked for; its first frame has not come yet."
                     : "The stream was found; its first frame has not come yet.";
    case SourceState::capturing:
      if (!facts.entangled.empty()) {
        return "Frames come, but not of " + facts.entangled +
               " itself: it has started something that is not to be captured.";
      }
      return facts.previewed && facts.own.empty() ? "It plays." : "Frames come.";
    case SourceState::paused:
      return facts.device ? "The device is idle." : "The program has paused its audio.";
    case SourceState::muted:
      if (facts.device) return "The device is muted, or its volume is 0.";
      return windows ? "The program is muted in Windows' volume mixer, or its volume is 0 there: "
                       "what is captured is silent, too."
                     : "The program is muted, or its volume is 0.";
    case SourceState::frozen:
      return "The program is frozen (stopped by a signal), and does not play.";
    case SourceState::blind_tap:
      return "The program plays, and only silence comes: it hides its sound from capture, or plays "
             "past Windows' mixer (exclusive mode).";
    case SourceState::refused:
      if (facts.entangled.empty()) {
        return "Windows does not tell when " + facts.unidentified +
               " was started, so another program could be captured in its place: run this program "
               "as an administrator.";
      }
      return facts.entangled +
             " can't be captured alone: it has started something that is not to be captured.";
    case SourceState::stalled:
      return stalled_reason(facts);
    case SourceState::backend_lost:
      break;
  }
  return (windows ? facts.system_failure + ";" : "PipeWire went away;") +
         " waiting for it to come back.";
}

}  // namespace

SourceState told_state(const StateFacts& facts) noexcept {
  if (facts.backend_lost) return SourceState::backend_lost;
  if (facts.presence == Presence::not_running) return SourceState::not_running;
  if (facts.refused) return SourceState::refused;
  if (facts.presence == Presence::no_stream || !facts.has_stream) return SourceState::no_stream;
  if (facts.frozen) return SourceState::frozen;
  if (!facts.playing) return SourceState::paused;
  return facts.audible ? SourceState::capturing : SourceState::muted;
}

SourceState source_state(const StateFacts& facts) noexcept {
  const SourceState told = told_state(facts);
  if (told == SourceState::not_running || told == SourceState::refused) return told;
  if (!facts.open) {
    if (told == SourceState::backend_lost) return told;
    return facts.opening ? SourceState::starting : SourceState::stalled;
  }
  if (facts.sounds) return SourceState::capturing;
  const bool frames_expected =
      told == SourceState::capturing || (told == SourceState::muted && facts.frames_of_muted);
  if (!frames_expected) return told;
  if (!facts.delivers) return facts.fresh ? SourceState::starting : SourceState::stalled;
  if (told == SourceState::muted) return told;
  return facts.hidden ? SourceState::blind_tap : SourceState::capturing;
}

Cause absence_cause(SourceState state) noexcept {
  switch (state) {
    case SourceState::not_running:
      return Cause::not_running;
    case SourceState::no_stream:
      return Cause::no_stream;
    case SourceState::paused:
      return Cause::paused;
    case SourceState::starting:
      return Cause::starting;
    case SourceState::refused:
      return Cause::refused;
    case SourceState::backend_lost:
      return Cause::backend_lost;
    case SourceState::capturing:
    case SourceState::muted:
      return Cause::underrun;
    case SourceState::frozen:
    case SourceState::blind_tap:
    case SourceState::stalled:
      break;
  }
  return Cause::stalled;
}

std::string state_reason(SourceState state, const ReasonFacts& facts) {
  std::string reason = sentence(state, facts);
  if (!facts.own.empty()) {
    reason += " " + facts.own +
              " is left out: of the whole system, what this program has started is not captured.";
  }
  return reason;
}

}  // namespace pypac
