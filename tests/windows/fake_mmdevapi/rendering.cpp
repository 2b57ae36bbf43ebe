// SPDX-License-Identifier: MIT
#include "rendering.hpp"

#include <string>

#include "windows_headers.hpp"

namespace fake {
namespace {

/// Signalled while that process renders sound; gone when it ends, however it does.
std::wstring event_of(Pid pid) {
  return L"Local\\pypac-fake-rendering-" + std::to_wstring(pid);
}

}  // namespace

void tell_rendering(bool sound) {
  static const HANDLE event =
      CreateEventW(nullptr, TRUE, FALSE, event_of(GetCurrentProcessId()).c_str());
  if (sound) {
    SetEvent(event);
  } else {
    ResetEvent(event);
  }
}

bool renders_sound(Pid pid) {
  const HANDLE event = OpenEventW(SYNCHRONIZE, FALSE, event_of(pid).c_str());
  if (!event) return false;
  const bool sound = WaitForSingleObject(event, 0) == WAIT_OBJECT_0;
  CloseHandle(event);
  return sound;
}

}  // namespace fake
