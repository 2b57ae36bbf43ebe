// SPDX-License-Identifier: MIT
// tell_exit_code FILE PROGRAM [ARGUMENT...]: runs a program, and writes the code that it ends with
// into a file. Who ends it, as for a time-out, ends the program with it; not what that has started.
//
// tell_exit_code --stay FILE: keeps what Wine starts with a program, its services and its desktop's
// explorer.exe, until nobody has touched the file for a minute.
//
// What the process of Wine ends with is not always that: Wine's server kills processes that take
// half a second to end (137), and one that tears itself down may fall over its own threads (139).
#include <windows.h>
// After windows.h.
#include <shellapi.h>

#include <cstdint>
#include <cstdio>
#include <cwchar>

namespace {

constexpr std::uint64_t kUnused100ns = 600'000'000;
constexpr DWORD kLookMs = 1000;

std::uint64_t number(const FILETIME& time) {
  return (static_cast<std::uint64_t>(time.dwHighDateTime) << 32) | time.dwLowDateTime;
}

void stay_while_used(const wchar_t* file) {
  WIN32_FILE_ATTRIBUTE_DATA found{};
  FILETIME now{};
  while (GetFileAttributesExW(file, GetFileExInfoStandard, &found)) {
    GetSystemTimeAsFileTime(&now);
    if (number(now) > number(found.ftLastWriteTime) + kUnused100ns) return;
    Sleep(kLookMs);
  }
}

/// What comes after the first word of a command line.
const wchar_t* after_word(const wchar_t* at) {
  bool quoted = false;
  for (; *at && (quoted || *at != L' '); ++at) {
    if (*at == L'"') quoted = !quoted;
  }
  while (*at == L' ') ++at;
  return at;
}

}  // namespace

int main() {
  // Wine starts an explorer.exe for who first wants a desktop, as its child. The program shall have
  // no children but its own.
  GetDesktopWindow();
  int argc = 0;
  wchar_t** const argv = CommandLineToArgvW(GetCommandLineW(), &argc);
  if (argc < 3) {
    std::fprintf(stderr, "usage: tell_exit_code FILE PROGRAM [ARGUMENT...] | --stay FILE\n");
    return 2;
  }
  if (std::wcscmp(argv[1], L"--stay") == 0) {
    std::puts("stays");
    std::fclose(stdout);
    stay_while_used(argv[2]);
    return 0;
  }
  // As it came: nothing is quoted a second time. CreateProcess wants to write into it.
  wchar_t* const command = const_cast<wchar_t*>(after_word(after_word(GetCommandLineW())));
  const HANDLE job = CreateJobObjectW(nullptr, nullptr);
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  limits.BasicLimitInformation.LimitFlags =
      JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
  SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
  STARTUPINFOW startup{};
  startup.cb = sizeof startup;
  PROCESS_INFORMATION process{};
  if (!CreateProcessW(nullptr, command, nullptr, nullptr, TRUE, CREATE_SUSPENDED, nullptr, nullptr,
                      &startup, &process)) {
    std::fprintf(stderr, "%ls does not start: error %lu\n", argv[2],
                 static_cast<unsigned long>(GetLastError()));
    return 1;
  }
  if (!AssignProcessToJobObject(job, process.hProcess))
    std::fprintf(stderr, "tell_exit_code: %ls outlives a time-out: error %lu\n", argv[2],
                 static_cast<unsigned long>(GetLastError()));
  ResumeThread(process.hThread);
  WaitForSingleObject(process.hProcess, INFINITE);
  DWORD code = 0;
  if (!GetExitCodeProcess(process.hProcess, &code)) return 1;
  std::FILE* const file = _wfopen(argv[1], L"wb");
  if (!file) {
    std::fprintf(stderr, "tell_exit_code: %ls cannot be written\n", argv[1]);
    return 1;
  }
  std::fprintf(file, "%lu\n", static_cast<unsigned long>(code));
  return std::fclose(file) == 0 ? 0 : 1;
}
