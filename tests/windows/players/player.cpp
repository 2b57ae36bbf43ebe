// SPDX-License-Identifier: MIT
// A program to be captured: it does nothing but be there. Which tone it plays is in the double's
// script, by its file name, so tests run copies of it under names like game.exe and Discord.exe.
//
//   player [--spawn NAME.exe]... [--respawn] [--leave] [--seconds N] [--grants nothing|little]
//          [--window TITLE | --frame TITLE | --in-frame TITLE]
//
// --spawn     starts a copy of itself under that name, beside itself, as its child
// --respawn   starts a child again when it has ended, as browsers do with their audio service
// --leave     ends at once and leaves the children alone, as launchers do
// --seconds   ends after that time, and the children with it
// --grants    what others get who open it, as of programs that run elevated or have an anti-cheat:
//             nothing, or no more than PROCESS_QUERY_LIMITED_INFORMATION and SYNCHRONIZE
// --window    has a window of that title
// --frame     has a frame of that title, as Windows has around the windows of packaged apps
// --in-frame  has the window in another process's frame of that title, as a packaged app
//
// Writes "NAME PID" for itself and each child that it starts.
#include <windows.h>
// After windows.h.
#include <sddl.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr const char* kFrame = "ApplicationFrameWindow";

struct Child {
  std::string name;
  PROCESS_INFORMATION process{};
};

std::string own_path() {
  std::string path(4096, '\0');
  path.resize(GetModuleFileNameA(nullptr, path.data(), static_cast<DWORD>(path.size())));
  return path;
}

void say(const std::string& name, DWORD pid) {
  std::printf("%s %lu\n", name.c_str(), static_cast<unsigned long>(pid));
  std::fflush(stdout);
}

/// False: Windows refuses it.
bool grant(const std::string& what) {
  // OW: without it the owner may always look at the list. WD: everyone.
  std::string list = "D:P(D;;0x1fffff;;;OW)(D;;0x1fffff;;;WD)";
  if (what == "little") list = "D:P(A;;0x00101000;;;WD)";
  PSECURITY_DESCRIPTOR wanted = nullptr;
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorA(list.c_str(), SDDL_REVISION_1, &wanted,
                                                            nullptr)) {
    return false;
  }
  const bool granted =
      SetKernelObjectSecurity(GetCurrentProcess(), DACL_SECURITY_INFORMATION, wanted) != 0;
  LocalFree(wanted);
  return granted;
}

bool start(Child& child, HANDLE job) {
  const std::string self = own_path();
  const std::string program = self.substr(0, self.find_last_of('\\') + 1) + child.name;
  CopyFileA(self.c_str(), program.c_str(), TRUE);  // there already: as good
  STARTUPINFOA startup{};
  startup.cb = sizeof startup;
  std::string command = "\"" + program + "\"";
  if (!CreateProcessA(program.c_str(), command.data(), nullptr, nullptr, FALSE, 0, nullptr, nullptr,
                      &startup, &child.process)) {
    std::fprintf(stderr, "player: %s does not start: error %lu\n", program.c_str(),
                 static_cast<unsigned long>(GetLastError()));
    return false;
  }
  if (job) AssignProcessToJobObject(job, child.process.hProcess);
  CloseHandle(child.process.hThread);
  say(child.name, child.process.dwProcessId);
  return true;
}

bool open_window(const char* kind, const char* title, HWND frame) {
  WNDCLASSA description{};
  description.lpfnWndProc = DefWindowProcA;
  description.hInstance = GetModuleHandleA(nullptr);
  description.lpszClassName = kind;
  RegisterClassA(&description);
  const DWORD style = frame ? WS_CHILD | WS_VISIBLE : WS_OVERLAPPEDWINDOW | WS_VISIBLE;
  return CreateWindowExA(0, kind, title, style, 0, 0, 100, 100, frame, nullptr,
                         description.hInstance, nullptr) != nullptr;
}

/// Windows are asked and told by messages: one who does not take them hangs.
void take_messages() {
  MSG message{};
  while (PeekMessageA(&message, nullptr, 0, 0, PM_REMOVE)) DispatchMessageA(&message);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Child> children;
  bool respawn = false;
  bool leave = false;
  DWORD left_ms = INFINITE;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--spawn" && i + 1 < argc) {
      children.push_back({argv[++i], {}});
    } else if (option == "--seconds" && i + 1 < argc) {
      left_ms = static_cast<DWORD>(std::atof(argv[++i]) * 1000);
    } else if (option == "--grants" && i + 1 < argc) {
      if (!grant(argv[++i])) {
        std::fprintf(stderr, "player: it cannot be shielded: error %lu\n",
                     static_cast<unsigned long>(GetLastError()));
        return 1;
      }
    } else if (option == "--window" && i + 1 < argc) {
      if (!open_window("PlayerWindow", argv[++i], nullptr)) return 1;
    } else if (option == "--frame" && i + 1 < argc) {
      if (!open_window(kFrame, argv[++i], nullptr)) return 1;
    } else if (option == "--in-frame" && i + 1 < argc) {
      const HWND frame = FindWindowA(kFrame, argv[++i]);
      if (!frame || !open_window("Windows.UI.Core.CoreWindow", "", frame)) return 1;
    } else if (option == "--respawn") {
      respawn = true;
    } else if (option == "--leave") {
      leave = true;
    } else {
      std::fprintf(stderr, "player: no such option: %s\n", option.c_str());
      return 2;
    }
  }
  const std::string self = own_path();
  say(self.substr(self.find_last_of('\\') + 1), GetCurrentProcessId());

  HANDLE job = nullptr;
  if (!leave) {
    // However this process ends, its children end as well.
    job = CreateJobObjectA(nullptr, nullptr);
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
  }
  for (Child& child : children) {
    if (!start(child, job)) return 1;
  }
  if (leave) return 0;

  const ULONGLONG end = GetTickCount64() + left_ms;
  for (;;) {
    if (left_ms != INFINITE && GetTickCount64() >= end) return 0;
    Sleep(20);
    take_messages();
    for (Child& child : children) {
      if (!respawn || WaitForSingleObject(child.process.hProcess, 0) != WAIT_OBJECT_0) continue;
      CloseHandle(child.process.hProcess);
      if (!start(child, job)) return 1;
    }
  }
}
