// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "capture/process_table.hpp"

namespace pypac {

/// How to capture a set of processes where only whole trees can be captured.
struct ProcessCover {
  /// The tops of trees that hold nothing else. Ascending PIDs; no tree lies in another.
  std::vector<ProcessEntry> roots;
  /// Processes of the set that no such tree holds: each has started something that is not in the
  /// set, and can't be captured without it.
  std::vector<ProcessEntry> entangled;
};

/// [any-thread] Covers `wanted` (PIDs) by whole trees that hold nothing else.
///
/// A tree is a process and all that it started, also through processes that have ended. Example: a
/// launcher (wanted) started a helper (wanted) and a game (not wanted): the root is the helper, and
/// the launcher is entangled.
[[nodiscard]] ProcessCover cover_with_trees(const ProcessTable& processes,
                                            const std::set<std::int64_t>& wanted);

/// [any-thread] As above for those that play only: each `playing` process (PIDs) by the largest
/// clean tree of its own program, which is the topmost ancestor with the same program file whose
/// tree holds nothing that is not wanted.
[[nodiscard]] ProcessCover cover_playing(const ProcessTable& processes,
                                         const std::set<std::int64_t>& wanted,
                                         const std::set<std::int64_t>& playing);

}  // namespace pypac
