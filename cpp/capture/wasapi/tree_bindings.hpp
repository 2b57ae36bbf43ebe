// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "capture/binding.hpp"
#include "capture/process_table.hpp"
#include "capture/selector.hpp"
#include "capture/wasapi/audio_sessions.hpp"
#include "capture/wasapi/capture_client.hpp"

namespace pypac {

/// What Windows has to be captured, as it was seen last.
struct AudioSeen {
  ProcessTable processes;
  std::vector<AudioSession> sessions;
  std::vector<AudioInput> inputs;
};

/// What a selector is bound to: which trees or endpoints to capture, and who is meant.
struct Bound {
  Binding binding;
  std::set<std::int64_t> pids;             // of the processes that are taken
  std::vector<CaptureTarget> targets;      // ascending
  std::vector<ProcessEntry> roots;         // of the trees among them
  std::vector<ProcessEntry> entangled;     // can't be captured apart
  std::vector<ProcessEntry> unidentified;  // may be another by now, or another's child
  std::vector<ProcessEntry> own;  // of the whole system: what plays and this process has started
};

/// [any-thread] Binds the selectors of one session, in their order. See bind_sources().
[[nodiscard]] std::vector<Bound> bind_trees(std::span<const Selector> selectors,
                                            const AudioSeen& seen, const PinnedProcesses& pinned);

/// [any-thread] The sessions of what is taken. Valid as long as `seen` stays.
[[nodiscard]] std::vector<const AudioSession*> sessions_of(const AudioSeen& seen,
                                                           const Bound& bound);

}  // namespace pypac
