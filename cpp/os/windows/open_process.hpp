// SPDX-License-Identifier: MIT
#pragma once

#include <windows.h>

#include <cstdint>

#include "os/windows/handle.hpp"

namespace pypac {

/// [any-thread] Opens a process to ask who it is, and for `more`, of which only SYNCHRONIZE (to
/// wait for its end) may be: a program that runs elevated or defends itself against cheats grants
/// these, and notices no more than with the Task Manager. Empty: refused, or not there;
/// GetLastError() tells.
[[nodiscard]] inline Handle open_process(std::int64_t pid, DWORD more = 0) noexcept {
  return Handle(
      OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | more, FALSE, static_cast<DWORD>(pid)));
}

}  // namespace pypac
