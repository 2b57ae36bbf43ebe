// SPDX-License-Identifier: MIT
#include "os/process_snapshot.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "os/valid_utf8.hpp"

namespace pypac {
namespace {

// /proc/PID/status is about 1.5 KiB; a command line may be long, but only its first word is wanted.
constexpr std::size_t kReadLimit = 4096;
// PF_EXITING: the process has run its last, and is still giving back what it had. Its connections
// are closed after this is set, so whoever sees them gone sees the process gone, too.
constexpr std::uint64_t kExiting = 0x4;

/// A file of /proc, as much as fits; empty where the process has gone or is not ours to see.
std::string read_start(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::string text(kReadLimit, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const ssize_t count = read(file, text.data() + length, text.size() - length);
    if (count <= 0) break;
    length += static_cast<std::size_t>(count);
  }
  close(file);
  text.resize(length);
  return text;
}

std::string_view after_last(std::string_view path, std::string_view separators) {
  const std::size_t at = path.find_last_of(separators);
  return at == std::string_view::npos ? path : path.substr(at + 1);
}

std::string executable_of(const std::string& folder) {
  std::array<char, kReadLimit> target;
  const ssize_t length = readlink((folder + "/exe").c_str(), target.data(), target.size());
  if (length <= 0) return {};
  std::string_view path(target.data(), static_cast<std::size_t>(length));
  // The kernel says so where an update has replaced the program file under a running program.
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  return valid_utf8(after_last(path, "/"));
}

std::string command_of(const std::string& folder) {
  const std::string line = read_start(folder + "/cmdline");
  // Wine puts the Windows path here: Z:\games\cs2.exe. A program that writes its own title
  // (Chromium) joins its arguments with spaces; such a word is no path then, and matches nothing.
  return valid_utf8(after_last(std::string_view(line).substr(0, line.find('\0')), "/\\"));
}

std::int64_t namespace_pid_of(const std::string& folder, std::int64_t pid) {
  const std::string status = read_start(folder + "/status");
  constexpr std::string_view kField = "\nNSpid:";
  const std::size_t begin = status.find(kField);
  if (begin == std::string::npos) return pid;
  const std::string_view rest = std::string_view(status).substr(begin + kField.size());
  const std::string_view line = rest.substr(0, rest.find('\n'));
  // One number for each namespace, the innermost last.
  const std::string_view last = after_last(line, "\t ");
  std::int64_t value = pid;
  std::from_chars(last.data(), last.data() + last.size(), value);
  return value;
}

/// What /proc/PID/stat says. False: gone.
bool read_stat(const std::string& folder, ProcessEntry& entry) {
  const std::string stat = read_start(folder + "/stat");
  // "pid (title) state parent ...": the title may hold spaces and parentheses itself.
  const std::size_t open = stat.find('(');
  const std::size_t close = stat.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return false;
  entry.title = valid_utf8(std::string_view(stat).substr(open + 1, close - open - 1));
  const char* at = stat.data() + close + 1;
  const char* const end = stat.data() + stat.size();
  // proc(5): the title is field 2, the state 3, the parent 4, the flags 9, the start time 22.
  for (int field = 3; field <= 22; ++field) {
    while (at < end && *at == ' ') ++at;
    const char* const begin = at;
    while (at < end && *at != ' ' && *at != '\n') ++at;
    if (begin == at) return false;
    if (field == 3) {
      entry.stopped = *begin == 'T' || *begin == 't';
      if (*begin == 'Z' || *begin == 'X') return false;  // dead, only not yet reaped
    }
    if (field == 4) std::from_chars(begin, at, entry.parent_pid);
    if (field == 9) {
      std::uint64_t flags = 0;
      std::from_chars(begin, at, flags);
      if ((flags & kExiting) != 0) return false;
    }
    if (field == 22) std::from_chars(begin, at, entry.start_time);
  }
  return true;
}

std::string folder_of(std::int64_t pid) {
  return "/proc/" + std::to_string(pid);
}

void read_names(const std::string& folder, ProcessEntry& entry) {
  entry.executable = executable_of(folder);
  entry.command = command_of(folder);
  entry.namespace_pid = namespace_pid_of(folder, entry.pid);
}

}  // namespace

std::optional<ProcessEntry> read_process(std::int64_t pid) {
  if (pid <= 0) return std::nullopt;
  ProcessEntry entry;
  entry.pid = pid;
  const std::string folder = folder_of(pid);
  if (!read_stat(folder, entry)) return std::nullopt;
  read_names(folder, entry);
  return entry;
}

std::int64_t current_process_id() noexcept {
  return getpid();
}

void ProcessSnapshot::refresh() {
  struct CloseFolder {
    void operator()(DIR* folder) const { closedir(folder); }
  };
  const std::unique_ptr<DIR, CloseFolder> proc(opendir("/proc"));
  std::vector<ProcessEntry> current;
  current.reserve(processes_.size() + 16);
  while (const dirent* file = proc ? readdir(proc.get()) : nullptr) {
    const std::string_view name(file->d_name);
    std::int64_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc{} || end != name.data() + name.size()) continue;
    ProcessEntry entry;
    entry.pid = pid;
    const std::string folder = folder_of(pid);
    if (!read_stat(folder, entry)) continue;
    const auto known = places_.find(pid);
    // exec() gives a process new names; it shows in the title, which stat has.
    if (known != places_.end() && processes_[known->second].start_time == entry.start_time &&
        processes_[known->second].title == entry.title) {
      ProcessEntry& old = processes_[known->second];
      entry.executable = std::move(old.executable);
      entry.command = std::move(old.command);
      entry.namespace_pid = old.namespace_pid;
    } else {
      read_names(folder, entry);
    }
    current.push_back(std::move(entry));
  }
  processes_ = std::move(current);
  places_.clear();
  for (std::size_t i = 0; i < processes_.size(); ++i) places_.emplace(processes_[i].pid, i);
}

}  // namespace pypac
