// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "core/status.hpp"
#include "timeline/packet.hpp"

namespace pypac {

/// By Cause, in its order. pypac_obs/incidents.py has a sentence for each.
inline constexpr auto kCauseNames = std::to_array<const char*>({
    "not_running",   "no_stream",   "paused",     "starting",        "refused",
    "stalled",       "underrun",    "late",       "lost_cycles",     "clock_changed",
    "clock_stepped", "overlap",     "restamped",  "capture_overrun", "output_overrun",
    "backend_lost",  "track_muted", "no_sources", "track_removed",   "source_failed",
    "filter_late",
});
static_assert(kCauseNames.size() == static_cast<std::size_t>(Cause::count_));

[[nodiscard]] inline const char* name_of(Cause cause) {
  return kCauseNames[static_cast<std::size_t>(cause)];
}

/// Throws Failure(invalid_argument).
[[nodiscard]] inline Cause cause_of(const std::string& name) {
  for (std::size_t i = 0; i < kCauseNames.size(); ++i)
    if (name == kCauseNames[i]) return static_cast<Cause>(i);
  throw Failure(ErrorKind::invalid_argument, "there is no cause " + name);
}

}  // namespace pypac
