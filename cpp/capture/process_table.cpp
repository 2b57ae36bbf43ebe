// SPDX-License-Identifier: MIT
#include "capture/process_table.hpp"

#include <utility>

namespace pypac {
namespace {
// Deeper trees than this are loops in a broken snapshot.
constexpr std::size_t kDeepestTree = 64;
}  // namespace

bool may_be_parent(const ProcessEntry& parent, const ProcessEntry& child) noexcept {
  return parent.pid == child.parent_pid && parent.pid != child.pid &&
         parent.start_time <= child.start_time;
}

ProcessTable::ProcessTable(std::vector<ProcessEntry> processes) : processes_(std::move(processes)) {
  for (std::size_t i = 0; i < processes_.size(); ++i) places_.emplace(processes_[i].pid, i);
}

const ProcessEntry* ProcessTable::find(std::int64_t pid) const noexcept {
  const auto place = places_.find(pid);
  return place == places_.end() ? nullptr : &processes_[place->second];
}

std::vector<ProcessEntry> ProcessTable::lineage(std::int64_t pid) const {
  std::vector<ProcessEntry> line;
  const ProcessEntry* entry = find(pid);
  while (entry && line.size() < kDeepestTree) {
    line.push_back(*entry);
    const ProcessEntry* parent = find(entry->parent_pid);
    entry = parent && may_be_parent(*parent, *entry) ? parent : nullptr;
  }
  return line;
}

std::int64_t ProcessTable::find_in_namespace(std::int64_t namespace_pid,
                                             std::string_view executable) const noexcept {
  std::int64_t found = 0;
  for (const ProcessEntry& entry : processes_) {
    if (entry.namespace_pid != namespace_pid || entry.namespace_pid == entry.pid) continue;
    if (entry.executable != executable) continue;
    if (found != 0) return 0;
    found = entry.pid;
  }
  return found;
}

}  // namespace pypac
