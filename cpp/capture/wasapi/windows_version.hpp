// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace pypac {

/// Where process loopback works: Windows 10 version 2004. (Microsoft's documentation says 20348;
/// real machines disagree.)
inline constexpr std::uint32_t kOldestBuild = 19041;

/// [any-thread] The build number of the Windows that runs, whatever the program's manifest says; 0:
/// it does not tell.
[[nodiscard]] std::uint32_t windows_build() noexcept;

/// [control-thread] What failed, with its HRESULT and the build: `step (0x88890004, Windows build
/// 26100)`.
[[nodiscard]] std::string failure_text(const char* step, long code);

}  // namespace pypac
