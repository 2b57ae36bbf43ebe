// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "capture/capture_views.hpp"
#include "capture/selector.hpp"
#include "capture/source_state.hpp"
#include "capture/wasapi/tree_bindings.hpp"
#include "core/time.hpp"

namespace pypac {

// What Windows says of sessions, and of sources that are bound to them, for people. All
// [any-thread].

/// The names of processes, each once: "cs2.exe, Discord.exe".
[[nodiscard]] std::string listed(const std::vector<ProcessEntry>& processes);

/// Every session and input, sorted by serial; `peaks` by session, linear.
[[nodiscard]] std::vector<StreamView> stream_views(const AudioSeen& seen,
                                                   const std::map<std::uint64_t, float>& peaks);

/// What Windows says of a source.
[[nodiscard]] StateFacts told_facts(const AudioSeen& seen, const Selector& selector,
                                    const Bound& bound);

/// The meter of what it takes has moved just now.
[[nodiscard]] bool is_loud(const AudioSeen& seen, const Bound& bound, HostTime time);

/// What Windows says of it, for a sentence.
[[nodiscard]] ReasonFacts told_reason(const AudioSeen& seen, const Selector& selector,
                                      const Bound& bound);

/// Whom a source is bound to, and whom it leaves out; without state and reason.
[[nodiscard]] SourceStatus binding_status(const AudioSeen& seen, const Selector& selector,
                                          const Bound& bound);

}  // namespace pypac
