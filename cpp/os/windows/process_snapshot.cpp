// SPDX-License-Identifier: MIT
#include "os/process_snapshot.hpp"

#include <windows.h>
// After windows.h, which it needs.
#include <tlhelp32.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "os/valid_utf8.hpp"
#include "os/windows/handle.hpp"
#include "os/windows/open_process.hpp"
#include "os/windows/package_family.hpp"
#include "os/windows/process_start_time.hpp"
#include "os/windows/wide_text.hpp"

namespace pypac {
namespace {

// The longest path that Windows takes.
constexpr DWORD kLongestPath = 32768;

std::wstring_view file_name_in(std::wstring_view path) {
  const std::size_t at = path.find_last_of(L"\\/");
  return at == std::wstring_view::npos ? path : path.substr(at + 1);
}

std::string name_of(std::wstring_view path) {
  return valid_utf8(utf8_of(file_name_in(path)));
}

/// Somebody may hold a handle of a process that has ended, and so keep its number.
bool has_ended(const Handle& process) noexcept {
  DWORD code = STILL_ACTIVE;
  return GetExitCodeProcess(process.get(), &code) != 0 && code != STILL_ACTIVE;
}

/// When processes were made, as the system lists them all: for those that may not be opened.
class ListedStartTimes {
 public:
  /// 0: it is not listed.
  [[nodiscard]] std::uint64_t of(std::int64_t pid) {
    if (!read_) read();
    read_ = true;
    const auto found = times_.find(pid);
    return found == times_.end() ? 0 : found->second;
  }

 private:
  /// SYSTEM_PROCESS_INFORMATION, whose times winternl.h calls reserved; the same since Vista.
  struct Entry {
    ULONG next_offset = 0;
    ULONG threads = 0;
    std::array<std::int64_t, 3> counters{};
    std::int64_t created = 0;
    std::int64_t user = 0;
    std::int64_t kernel = 0;
    std::array<std::uint64_t, 2> name{};
    std::int64_t priority = 0;
    std::uint64_t pid = 0;
  };
  static_assert(offsetof(Entry, created) == 32 && offsetof(Entry, pid) == 80);

  void read() {
    using Query = LONG(WINAPI*)(ULONG, void*, ULONG, ULONG*);
    constexpr ULONG kProcesses = 5;  // SystemProcessInformation
    constexpr LONG kTooShort = static_cast<LONG>(0xC0000004);
    constexpr int kTries = 8;  // the list grows while it is copied
    const HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    const FARPROC found = ntdll ? GetProcAddress(ntdll, "NtQuerySystemInformation") : nullptr;
    if (!found) return;
    const auto query = reinterpret_cast<Query>(reinterpret_cast<void*>(found));
    std::vector<std::byte> list(std::size_t{1} << 18);
    LONG status = kTooShort;
    for (int tries = 0; status == kTooShort && tries < kTries; ++tries) {
      if (tries > 0) list.resize(list.size() * 2);
      ULONG length = 0;
      status = query(kProcesses, list.data(), static_cast<ULONG>(list.size()), &length);
    }
    if (status != 0) return;
    for (std::size_t at = 0; at + sizeof(Entry) <= list.size();) {
      Entry entry;
      std::memcpy(&entry, list.data() + at, sizeof entry);
      times_.emplace(static_cast<std::int64_t>(entry.pid),
                     static_cast<std::uint64_t>(entry.created));
      if (entry.next_offset == 0) break;
      at += entry.next_offset;
    }
  }

  bool read_ = false;
  std::unordered_map<std::int64_t, std::uint64_t> times_;
};

/// The program file's name. Empty: not ours to see.
std::string executable_of(const Handle& process) {
  if (!process) return {};
  std::wstring path(MAX_PATH, L'\0');
  auto length = static_cast<DWORD>(path.size());
  while (QueryFullProcessImageNameW(process.get(), 0, path.data(), &length) == 0) {
    if (GetLastError() != ERROR_INSUFFICIENT_BUFFER || path.size() >= kLongestPath) return {};
    path.resize(kLongestPath);
    length = static_cast<DWORD>(path.size());
  }
  return name_of(std::wstring_view(path).substr(0, length));
}

/// The window whose process a user means by this one; nullptr: nobody's. The windows of packaged
/// apps stand in frames, which are all of one process of Windows' own.
HWND inside_of_frame(HWND window) noexcept {
  std::array<wchar_t, 32> name{};  // longer ones are cut
  GetClassNameW(window, name.data(), static_cast<int>(name.size()));
  if (std::wstring_view(name.data()) != L"ApplicationFrameWindow") return window;
  return FindWindowExW(window, nullptr, L"Windows.UI.Core.CoreWindow", nullptr);
}

/// The titles of the windows that a user sees, by process: of each the topmost one's.
std::unordered_map<std::int64_t, std::string> window_titles() {
  std::unordered_map<std::int64_t, std::string> titles;
  const auto look = [](HWND window, LPARAM to) -> BOOL {
    // A window that another owns is a dialogue or a tool of that one's.
    if (IsWindowVisible(window) == 0 || GetWindow(window, GW_OWNER) != nullptr) return TRUE;
    DWORD pid = 0;
    GetWindowThreadProcessId(inside_of_frame(window), &pid);
    // Its own window's title a process gets from the thread that made the window, and that may just
    // be waiting for us. Of another process's it is a copy that the system has: nobody is asked.
    if (pid == 0 || pid == GetCurrentProcessId()) return TRUE;
    std::array<wchar_t, kLongestName + 1> text;
    const int length = GetWindowTextW(window, text.data(), static_cast<int>(text.size()));
    if (length > 0)
      reinterpret_cast<std::unordered_map<std::int64_t, std::string>*>(to)->try_emplace(
          pid, valid_utf8(utf8_of({text.data(), static_cast<std::size_t>(length)})));
    return TRUE;
  };
  EnumWindows(look, reinterpret_cast<LPARAM>(&titles));
  return titles;
}

/// Calls `take` with each process that the system lists, until it returns false.
template <typename Take>
void for_each_process(Take take) {
  // The list may change while it is copied; then the system says so, and one asks again.
  constexpr int kTries = 8;
  Handle list;
  for (int tries = 0; !list && tries < kTries; ++tries)
    list = Handle(CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0));
  if (!list) return;
  PROCESSENTRY32W found{};
  found.dwSize = sizeof found;
  for (BOOL more = Process32FirstW(list.get(), &found); more != 0;
       more = Process32NextW(list.get(), &found)) {
    // 0 is the idle process: nobody's program.
    if (found.th32ProcessID != 0 && !take(found)) return;
  }
}

/// False: it has ended.
bool read_listed(const PROCESSENTRY32W& listed, const Handle& process, ListedStartTimes& times,
                 ProcessEntry& entry) {
  if (process && has_ended(process)) return false;
  entry.pid = listed.th32ProcessID;
  entry.namespace_pid = entry.pid;
  entry.parent_pid = listed.th32ParentProcessID;
  entry.start_time = process_start_time(process.get());
  if (entry.start_time == 0) entry.start_time = times.of(entry.pid);
  return true;
}

void read_names(const PROCESSENTRY32W& listed, const Handle& process, ProcessEntry& entry) {
  static const GetPackageFamily ask = get_package_family();
  entry.executable = executable_of(process);
  if (entry.executable.empty()) entry.executable = name_of(listed.szExeFile);
  if (process) entry.package = package_family_of(process.get(), ask);
}

}  // namespace

std::optional<ProcessEntry> read_process(std::int64_t pid) {
  std::optional<ProcessEntry> result;
  ListedStartTimes times;
  for_each_process([&](const PROCESSENTRY32W& listed) {
    if (std::int64_t{listed.th32ProcessID} != pid) return true;
    const Handle process = open_process(pid);
    ProcessEntry entry;
    if (read_listed(listed, process, times, entry)) {
      read_names(listed, process, entry);
      auto titles = window_titles();
      entry.title = std::move(titles[pid]);
      result = std::move(entry);
    }
    return false;
  });
  return result;
}

std::int64_t current_process_id() noexcept {
  return GetCurrentProcessId();
}

void ProcessSnapshot::refresh() {
  std::vector<ProcessEntry> current;
  current.reserve(processes_.size() + 16);
  auto titles = window_titles();
  ListedStartTimes times;
  for_each_process([&](const PROCESSENTRY32W& listed) {
    const Handle process = open_process(listed.th32ProcessID);
    ProcessEntry entry;
    if (!read_listed(listed, process, times, entry)) return true;
    const auto known = places_.find(entry.pid);
    // A process keeps its program until it ends.
    const bool same = known != places_.end() && entry.start_time != 0 &&
                      processes_[known->second].start_time == entry.start_time;
    if (same) {
      entry.executable = std::move(processes_[known->second].executable);
      entry.package = std::move(processes_[known->second].package);
    } else {
      read_names(listed, process, entry);
    }
    if (const auto title = titles.find(entry.pid); title != titles.end())
      entry.title = std::move(title->second);
    else if (same)  // closed to the tray, or minimised: it is what it was
      entry.title = std::move(processes_[known->second].title);
    current.push_back(std::move(entry));
    return true;
  });
  processes_ = std::move(current);
  places_.clear();
  for (std::size_t i = 0; i < processes_.size(); ++i) places_.emplace(processes_[i].pid, i);
}

}  // namespace pypac
