// SPDX-License-Identifier: MIT
#pragma once

#include <windows.h>

#include <cstdint>
#include <map>
#include <vector>

#include "capture/process_table.hpp"
#include "os/windows/handle.hpp"

namespace pypac {

/// Processes that are captured, and waited for: while its handle is open nobody else gets the PID
/// of one. For one thread at a time.
class WatchedProcesses {
 public:
  /// Watches these and no others, by PID and when each was started. False: a PID is another's by
  /// now.
  [[nodiscard]] bool watch(const std::map<std::int64_t, std::uint64_t>& wanted);
  void clear() { processes_.clear(); }

  /// The process is watched, and has ended.
  [[nodiscard]] bool has_ended(const ProcessEntry& process) const;
  /// It is watched, and Windows refuses its handle: it is only looked for.
  [[nodiscard]] bool is_shielded(const ProcessEntry& process) const;
  /// Adds the handles of those that have not ended, which Windows signals when they do, up to
  /// `most` in all.
  void add_handles(std::vector<HANDLE>& handles, std::size_t most) const;

 private:
  struct Watched {
    Handle handle;  // empty: refused
    std::uint64_t start_time = 0;

    [[nodiscard]] bool ended() const noexcept {
      return handle && WaitForSingleObject(handle.get(), 0) == WAIT_OBJECT_0;
    }
  };

  std::map<std::int64_t, Watched> processes_;  // by PID
};

}  // namespace pypac
