// SPDX-License-Identifier: MIT
#include "capture/process_table.hpp"

#include <algorithm>
#include <utility>

namespace pypac {
namespace {

/// Where nobody tells when a process was started the names must do, until somebody does. `known` is
/// when the one before was started, as told last; 0: never.
bool is_same(const ProcessEntry& before, std::uint64_t known, const ProcessEntry& now) noexcept {
  return now.start_time != 0 ? now.start_time == known : before.executable == now.executable;
}

}  // namespace

bool may_be_parent(const ProcessEntry& parent, const ProcessEntry& child) noexcept {
  return parent.pid == child.parent_pid && parent.pid != child.pid &&
         (child.start_time == 0 || parent.start_time <= child.start_time);
}

std::string program_name(const ProcessEntry& process) {
  if (process.executable.starts_with("wine") && !process.command.empty()) return process.command;
  return process.executable.empty() ? process.title : process.executable;
}

ProcessTable::ProcessTable(std::vector<ProcessEntry> processes) {
  add(std::move(processes));
}

void ProcessTable::update(std::vector<ProcessEntry> processes) {
  std::unordered_set<std::int64_t> running;
  for (const ProcessEntry& process : processes) running.insert(process.pid);
  // Not before add(): the last parent of a new process may have ended just now.
  std::vector<std::int64_t> ended;
  for (const ProcessEntry& process : this->processes()) {
    if (!running.contains(process.pid)) ended.push_back(process.pid);
  }
  add(std::move(processes));
  for (const std::int64_t pid : ended) records_.erase(pid);
}

void ProcessTable::add(std::vector<ProcessEntry> processes) {
  std::unordered_set<std::int64_t> fresh;
  for (ProcessEntry& process : processes) {
    Record& record = records_[process.pid];
    if (record.process && is_same(*record.process, record.start_time, process)) {
      if (process.start_time != 0) record.start_time = process.start_time;
      process.parent_pid = record.process->parent_pid;
      *record.process = std::move(process);
    } else {
      fresh.insert(process.pid);
      const std::uint64_t start_time = process.start_time;
      record = {std::make_shared<ProcessEntry>(std::move(process)), start_time, {}};
    }
  }
  for (const std::int64_t pid : fresh) {
    Record& record = records_.at(pid);
    record.ancestors = ancestors_of(*record.process, fresh);
  }
}

std::vector<ProcessTable::SharedProcess> ProcessTable::ancestors_of(
    const ProcessEntry& process, const std::unordered_set<std::int64_t>& fresh) const {
  std::vector<SharedProcess> line;
  const ProcessEntry* child = &process;
  while (line.size() + 1 < kDeepestTree) {
    const auto parent = records_.find(child->parent_pid);
    if (parent == records_.end() || !may_be_parent(*parent->second.process, *child)) break;
    line.push_back(parent->second.process);
    child = parent->second.process.get();
    if (fresh.contains(child->pid)) continue;
    const std::vector<SharedProcess>& known = parent->second.ancestors;
    const std::size_t room = kDeepestTree - 1 - line.size();
    line.insert(line.end(), known.begin(),
                known.begin() + static_cast<std::ptrdiff_t>(std::min(room, known.size())));
    break;
  }
  return line;
}

const ProcessEntry* ProcessTable::find(std::int64_t pid) const noexcept {
  const auto record = records_.find(pid);
  return record == records_.end() ? nullptr : record->second.process.get();
}

std::vector<ProcessEntry> ProcessTable::lineage(std::int64_t pid) const {
  const auto record = records_.find(pid);
  if (record == records_.end()) return {};
  std::vector<ProcessEntry> line{*record->second.process};
  for (const SharedProcess& ancestor : record->second.ancestors) line.push_back(*ancestor);
  return line;
}

std::int64_t ProcessTable::find_in_namespace(std::int64_t namespace_pid,
                                             std::string_view executable) const noexcept {
  std::int64_t found = 0;
  for (const ProcessEntry& entry : processes()) {
    if (entry.namespace_pid != namespace_pid || entry.namespace_pid == entry.pid) continue;
    if (entry.executable.empty()) continue;
    if (!executable.empty() && entry.executable != executable) continue;
    if (found != 0) return 0;
    found = entry.pid;
  }
  return found;
}

}  // namespace pypac
