// SPDX-License-Identifier: MIT
#include "capture/capture_views.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace pypac {
namespace {

// A sentence, not a list: `pypac-obs devices` has them all.
constexpr std::size_t kMostNamed = 6;

}  // namespace

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

std::string common_reason(SourceState state, bool device) {
  switch (state) {
    case SourceState::not_running:
      return device ? "The device is not there." : "The program is not running.";
    case SourceState::no_stream:
      return nothing_plays({});
    case SourceState::capturing:
      return "Frames come.";
    case SourceState::paused:
      return device ? "The device is idle." : "The program has paused its audio.";
    case SourceState::muted:
      return device ? "The device is muted, or its volume is 0." : "";
    case SourceState::starting:
    case SourceState::frozen:
    case SourceState::blind_tap:
    case SourceState::refused:
    case SourceState::stalled:
    case SourceState::backend_lost:
      break;
  }
  return {};
}

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

std::string missing_device_reason(std::vector<std::string> inputs) {
  std::erase(inputs, std::string{});
  std::ranges::sort(inputs);
  const auto [again, end] = std::ranges::unique(inputs);
  inputs.erase(again, end);
  std::string reason = common_reason(SourceState::not_running, true);
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

}  // namespace pypac
