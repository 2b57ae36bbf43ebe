// SPDX-License-Identifier: MIT
#include "capture/process_cover.hpp"

#include <algorithm>
#include <map>

namespace pypac {
namespace {

/// Does the ancestor still run, or is its PID somebody else's? Where nobody tells when one of them
/// was started it may well be the same.
bool still_runs(const ProcessTable& processes, const ProcessEntry& ancestor) {
  const ProcessEntry* const running = processes.find(ancestor.pid);
  return running && (running->start_time == ancestor.start_time || running->start_time == 0 ||
                     ancestor.start_time == 0);
}

/// The wanted processes whose trees hold nothing that is not wanted.
std::set<std::int64_t> clean_trees(const ProcessTable& processes,
                                   const std::set<std::int64_t>& wanted) {
  std::set<std::int64_t> clean = wanted;
  for (const ProcessEntry& process : processes.processes()) {
    if (wanted.contains(process.pid)) continue;
    for (const ProcessEntry& ancestor : processes.lineage(process.pid)) {
      if (still_runs(processes, ancestor)) clean.erase(ancestor.pid);
    }
  }
  return clean;
}

/// Leaves out roots that lie in another one's tree.
std::vector<ProcessEntry> outermost(const ProcessTable& processes,
                                    const std::set<std::int64_t>& roots) {
  std::vector<ProcessEntry> result;
  for (const std::int64_t pid : roots) {
    const std::vector<ProcessEntry> line = processes.lineage(pid);
    if (line.empty()) continue;
    const bool inside = std::any_of(line.begin() + 1, line.end(), [&](const ProcessEntry& one) {
      return roots.contains(one.pid) && still_runs(processes, one);
    });
    if (!inside) result.push_back(line.front());
  }
  return result;
}

}  // namespace

ProcessCover cover_with_trees(const ProcessTable& processes, const std::set<std::int64_t>& wanted) {
  const std::set<std::int64_t> clean = clean_trees(processes, wanted);
  ProcessCover cover;
  cover.roots = outermost(processes, clean);
  for (const std::int64_t pid : wanted) {
    const ProcessEntry* const process = processes.find(pid);
    if (process && !clean.contains(pid)) cover.entangled.push_back(*process);
  }
  return cover;
}

ProcessCover cover_playing(const ProcessTable& processes, const std::set<std::int64_t>& wanted,
                           const std::set<std::int64_t>& playing) {
  const std::set<std::int64_t> clean = clean_trees(processes, wanted);
  ProcessCover cover;
  std::set<std::int64_t> roots;
  for (const std::int64_t pid : playing) {
    const std::vector<ProcessEntry> line = processes.lineage(pid);
    if (line.empty() || !wanted.contains(pid)) continue;
    if (!clean.contains(pid)) {
      cover.entangled.push_back(line.front());
      continue;
    }
    std::int64_t root = pid;
    for (const ProcessEntry& one : line) {
      if (one.executable != line.front().executable || !clean.contains(one.pid)) break;
      root = one.pid;
    }
    roots.insert(root);
  }
  cover.roots = outermost(processes, roots);
  return cover;
}

}  // namespace pypac
