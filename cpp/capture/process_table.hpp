// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <ranges>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "os/process_snapshot.hpp"

namespace pypac {

/// The running processes, and who started whom.
///
/// It remembers what the system forgets: when a launcher exits, the system gives its children to
/// another parent, but here they keep the ancestors that they were first seen with. Example: a
/// launcher starts a game and exits; the game's lineage still ends at the launcher.
class ProcessTable {
 public:
  ProcessTable() = default;
  explicit ProcessTable(std::vector<ProcessEntry> processes);
  ProcessTable(const ProcessTable&) = delete;
  ProcessTable& operator=(const ProcessTable&) = delete;
  ProcessTable(ProcessTable&&) = default;
  ProcessTable& operator=(ProcessTable&&) = default;
  ~ProcessTable() = default;

  /// Takes the processes of a later moment; who is not among them has ended.
  void update(std::vector<ProcessEntry> processes);
  /// Takes up processes that have started since, with those that started them.
  void add(std::vector<ProcessEntry> processes);

  /// All that run, in no order.
  [[nodiscard]] auto processes() const {
    return std::views::values(records_) |
           std::views::transform(
               [](const Record& record) -> const ProcessEntry& { return *record.process; });
  }

  /// The running process, or nullptr. Valid until update() or add().
  [[nodiscard]] const ProcessEntry* find(std::int64_t pid) const noexcept;

  /// The running process and its ancestors, ended or not, nearest first. A parent that is younger
  /// than its child has only taken over the PID of the real one: the line ends there.
  [[nodiscard]] std::vector<ProcessEntry> lineage(std::int64_t pid) const;

  /// The process that calls itself `namespace_pid` inside a container and whose program file is
  /// `executable` (empty: any); 0 if there is none, or more than one. One whose program file is not
  /// ours to see is none.
  [[nodiscard]] std::int64_t find_in_namespace(std::int64_t namespace_pid,
                                               std::string_view executable) const noexcept;

 private:
  using SharedProcess = std::shared_ptr<ProcessEntry>;
  struct Record {
    SharedProcess process;
    std::uint64_t start_time = 0;  // as told last: it may not be told any more
    // Nearest first, fixed when the process is first seen. They keep ended processes alive here: at
    // most kDeepestTree for each that runs.
    std::vector<SharedProcess> ancestors;
  };

  [[nodiscard]] std::vector<SharedProcess> ancestors_of(
      const ProcessEntry& process, const std::unordered_set<std::int64_t>& fresh) const;

  std::unordered_map<std::int64_t, Record> records_;  // of running processes, by PID
};

/// [any-thread] What a user calls the process: its program file; under Wine, where all have the
/// loader's, the first word of the command.
[[nodiscard]] std::string program_name(const ProcessEntry& process);

/// Deeper trees than this are loops in a broken snapshot.
inline constexpr std::size_t kDeepestTree = 64;

/// True if the parent may really have started the child: it is not younger. A child of unknown age
/// counts as its parent's, for a capture of the parent may have it.
[[nodiscard]] bool may_be_parent(const ProcessEntry& parent, const ProcessEntry& child) noexcept;

}  // namespace pypac
