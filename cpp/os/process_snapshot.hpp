// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace pypac {

/// One running process, by the names that a user may know it by. They are valid UTF-8, whatever the
/// system has.
struct ProcessEntry {
  std::int64_t pid = 0;
  std::int64_t parent_pid = 0;
  std::int64_t namespace_pid = 0;  // what the process calls itself inside its container
  std::uint64_t start_time = 0;    // in the system's unit, only to compare; 0: not ours to see
  std::string executable;          // file name of the program file; empty: not ours to see
  std::string title;               // what it calls itself (Linux: 15 bytes), or its window did last
  std::string command;             // file name of the command line's first word (Linux; Wine: .exe)
  std::string package;             // family name of the packaged app (Windows); empty: it is none
  bool stopped = false;            // frozen by SIGSTOP or a debugger
};

/// [any-thread] One process, or nothing if there is none. No more than four small reads.
[[nodiscard]] std::optional<ProcessEntry> read_process(std::int64_t pid);

/// [any-thread, realtime-safe]
[[nodiscard]] std::int64_t current_process_id() noexcept;

/// All processes, kept up to date cheaply: what cannot have changed is not read again.
///
/// For one thread at a time.
class ProcessSnapshot {
 public:
  /// [control-thread] Reads what is new; then processes() tells.
  void refresh();

  /// In no order. Valid until refresh().
  [[nodiscard]] const std::vector<ProcessEntry>& processes() const noexcept { return processes_; }

 private:
  std::vector<ProcessEntry> processes_;
  std::unordered_map<std::int64_t, std::size_t> places_;  // pid -> index in processes_
};

}  // namespace pypac
