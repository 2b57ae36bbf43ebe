// SPDX-License-Identifier: MIT
#pragma once

#include <windows.h>

#include <cstdint>

namespace pypac {

/// When a process was made, in 100 ns, by a handle with PROCESS_QUERY_LIMITED_INFORMATION; 0: not
/// ours to know. With its PID it is who the process is: PIDs are used again.
inline std::uint64_t process_start_time(HANDLE process) noexcept {
  FILETIME created{};
  FILETIME ended{};
  FILETIME kernel{};
  FILETIME user{};
  if (!process || GetProcessTimes(process, &created, &ended, &kernel, &user) == 0) return 0;
  return std::uint64_t{created.dwHighDateTime} << 32U | created.dwLowDateTime;
}

}  // namespace pypac
