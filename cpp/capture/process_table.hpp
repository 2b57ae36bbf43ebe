// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "os/process_snapshot.hpp"

namespace pypac {

/// The processes of one moment, and who started whom.
class ProcessTable {
 public:
  ProcessTable() = default;
  explicit ProcessTable(std::vector<ProcessEntry> processes);

  [[nodiscard]] const std::vector<ProcessEntry>& processes() const noexcept { return processes_; }

  /// The process, or nullptr. Valid as long as the table.
  [[nodiscard]] const ProcessEntry* find(std::int64_t pid) const noexcept;

  /// The process and its ancestors, nearest first. A parent that is younger than its child has only
  /// taken over the PID of the real one: the line ends there.
  [[nodiscard]] std::vector<ProcessEntry> lineage(std::int64_t pid) const;

  /// The process that calls itself `namespace_pid` inside a container and whose program file is
  /// `executable`; 0 if there is none, or more than one.
  [[nodiscard]] std::int64_t find_in_namespace(std::int64_t namespace_pid,
                                               std::string_view executable) const noexcept;

 private:
  std::vector<ProcessEntry> processes_;
  std::unordered_map<std::int64_t, std::size_t> places_;  // pid -> index in processes_
};

/// True if the parent may really have started the child: it is not younger.
[[nodiscard]] bool may_be_parent(const ProcessEntry& parent, const ProcessEntry& child) noexcept;

}  // namespace pypac
