// SPDX-License-Identifier: MIT
#include "capture/wasapi/watched_processes.hpp"

#include <optional>
#include <utility>

#include "os/process_snapshot.hpp"
#include "os/windows/open_process.hpp"

namespace pypac {

bool WatchedProcesses::watch(const std::map<std::int64_t, std::uint64_t>& wanted) {
  std::erase_if(processes_, [&](const auto& one) {
    const auto at = wanted.find(one.first);
    return at == wanted.end() || at->second != one.second.start_time;
  });
  bool all_are_theirs = true;
  for (const auto& [pid, start_time] : wanted) {
    if (processes_.contains(pid)) continue;
    Watched process{open_process(pid, SYNCHRONIZE), start_time};
    const std::optional<ProcessEntry> running = read_process(pid);
    if (running && running->start_time == start_time) {
      processes_.emplace(pid, std::move(process));
    } else {
      all_are_theirs = false;
    }
  }
  return all_are_theirs;
}

bool WatchedProcesses::has_ended(const ProcessEntry& process) const {
  const auto at = processes_.find(process.pid);
  return at != processes_.end() && at->second.start_time == process.start_time &&
         at->second.ended();
}

bool WatchedProcesses::is_shielded(const ProcessEntry& process) const {
  const auto at = processes_.find(process.pid);
  return at != processes_.end() && !at->second.handle;
}

void WatchedProcesses::add_handles(std::vector<HANDLE>& handles, std::size_t most) const {
  for (const auto& [pid, process] : processes_) {
    if (handles.size() == most) return;
    if (process.handle && !process.ended()) handles.push_back(process.handle.get());
  }
}

}  // namespace pypac
