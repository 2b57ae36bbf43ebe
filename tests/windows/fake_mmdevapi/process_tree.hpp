// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fake {

using Pid = std::uint32_t;

struct Process {
  Pid pid = 0;
  Pid parent = 0;
  std::uint64_t created = 0;  // 100 ns, as FILETIME
  std::uint64_t ended = 0;    // 0: runs
  std::string name;           // file name
};

/// Every process seen, the ended ones too: Windows leaves a child the PID of a parent that has
/// gone, and a PID may come again.
class ProcessTree {
 public:
  /// Takes a snapshot of the real processes.
  void refresh();
  /// For tests: takes these as the running ones at `now`.
  void update(const std::vector<Process>& running, std::uint64_t now);

  /// The running process; nullptr: none.
  [[nodiscard]] const Process* find(Pid pid) const;
  /// Does a process that find() gave still run, as the system says now?
  [[nodiscard]] static bool runs(const Process& process);
  /// The running ones.
  [[nodiscard]] std::vector<const Process*> running() const;
  /// Is `process` the process `root` or was it, or one of its ancestors, started by it?
  [[nodiscard]] bool within(const Process& process, Pid root, std::uint64_t root_created) const;

 private:
  [[nodiscard]] const Process* parent_of(const Process& process) const;

  std::map<Pid, std::vector<Process>> seen_;  // oldest first
};

}  // namespace fake
