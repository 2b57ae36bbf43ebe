// SPDX-License-Identifier: MIT
#include "process_tree.hpp"

#include <algorithm>
#include <set>

#include "windows_headers.hpp"
// After windows.h.
#include <tlhelp32.h>

namespace fake {
namespace {

std::uint64_t joined(FILETIME time) {
  return (static_cast<std::uint64_t>(time.dwHighDateTime) << 32) | time.dwLowDateTime;
}

// Of a process that lets nobody look at it.
constexpr std::uint64_t kNotTold = 1;

/// Of a running process; 0: there is none.
std::uint64_t creation_time(Pid pid) {
  const HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, pid);
  if (!process) return GetLastError() == ERROR_ACCESS_DENIED ? kNotTold : 0;
  if (WaitForSingleObject(process, 0) == WAIT_OBJECT_0) {
    CloseHandle(process);
    return 0;
  }
  FILETIME created{};
  FILETIME exited{};
  FILETIME kernel{};
  FILETIME user{};
  const bool known = GetProcessTimes(process, &created, &exited, &kernel, &user) != 0;
  CloseHandle(process);
  return known ? joined(created) : 0;
}

std::string utf8(const wchar_t* text) {
  std::string out(static_cast<std::size_t>(MAX_PATH) * 3, '\0');
  const int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, out.data(),
                                       static_cast<int>(out.size()), nullptr, nullptr);
  out.resize(size > 0 ? static_cast<std::size_t>(size - 1) : 0);
  return out;
}

}  // namespace

void ProcessTree::refresh() {
  const HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
  if (snapshot == INVALID_HANDLE_VALUE) return;
  std::vector<Process> running;
  PROCESSENTRY32W entry{};
  entry.dwSize = sizeof entry;
  for (BOOL more = Process32FirstW(snapshot, &entry); more;
       more = Process32NextW(snapshot, &entry)) {
    Process process;
    process.pid = entry.th32ProcessID;
    process.parent = entry.th32ParentProcessID;
    process.created = creation_time(process.pid);
    process.name = utf8(entry.szExeFile);
    // Wine lists a process that is being started before it has a name.
    if (process.created != 0 && !process.name.empty()) running.push_back(std::move(process));
  }
  CloseHandle(snapshot);
  // A snapshot that is taken while processes come and go may lack some that run.
  for (const Process* const before : this->running()) {
    const bool listed = std::any_of(running.begin(), running.end(),
                                    [&](const Process& one) { return one.pid == before->pid; });
    if (!listed && creation_time(before->pid) == before->created) running.push_back(*before);
  }
  FILETIME now{};
  GetSystemTimeAsFileTime(&now);
  update(running, joined(now));
}

void ProcessTree::update(const std::vector<Process>& running, std::uint64_t now) {
  std::set<std::pair<Pid, std::uint64_t>> alive;
  for (const Process& process : running) {
    alive.emplace(process.pid, process.created);
    std::vector<Process>& known = seen_[process.pid];
    if (known.empty() || known.back().created != process.created) known.push_back(process);
  }
  for (auto& [pid, known] : seen_) {
    for (Process& process : known) {
      if (process.ended == 0 && !alive.contains({pid, process.created})) process.ended = now;
    }
  }
}

const Process* ProcessTree::find(Pid pid) const {
  const auto found = seen_.find(pid);
  if (found == seen_.end() || found->second.back().ended != 0) return nullptr;
  return &found->second.back();
}

bool ProcessTree::runs(const Process& process) {
  return creation_time(process.pid) == process.created;
}

std::vector<const Process*> ProcessTree::running() const {
  std::vector<const Process*> all;
  for (const auto& [pid, known] : seen_) {
    if (known.back().ended == 0) all.push_back(&known.back());
  }
  return all;
}

const Process* ProcessTree::parent_of(const Process& process) const {
  const auto found = seen_.find(process.parent);
  if (found == seen_.end()) return nullptr;
  // The latest holder of the PID that was there before the child.
  const Process* parent = nullptr;
  for (const Process& one : found->second) {
    if (one.created <= process.created || process.created == kNotTold) parent = &one;
  }
  return parent;
}

bool ProcessTree::within(const Process& process, Pid root, std::uint64_t root_created) const {
  const Process* one = &process;
  for (int depth = 0; one && depth < 64; ++depth) {
    if (one->pid == root && one->created == root_created) return true;
    const Process* const parent = parent_of(*one);
    if (parent == one) return false;
    one = parent;
  }
  return false;
}

}  // namespace fake
