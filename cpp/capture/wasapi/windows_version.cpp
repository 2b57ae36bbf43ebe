// SPDX-License-Identifier: MIT
#include "capture/wasapi/windows_version.hpp"

#include <windows.h>

#include <array>
#include <cstdio>

namespace pypac {
namespace {

std::uint32_t read_build() noexcept {
  // GetVersionEx() tells programs without a manifest a version that they can bear.
  using RtlGetVersion = LONG(WINAPI*)(OSVERSIONINFOW*);
  const HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
  const FARPROC found = ntdll ? GetProcAddress(ntdll, "RtlGetVersion") : nullptr;
  if (!found) return 0;
  const auto get_version = reinterpret_cast<RtlGetVersion>(reinterpret_cast<void*>(found));
  OSVERSIONINFOW version{};
  version.dwOSVersionInfoSize = sizeof(version);
  return get_version(&version) == 0 ? version.dwBuildNumber : 0;
}

}  // namespace

std::uint32_t windows_build() noexcept {
  static const std::uint32_t build = read_build();
  return build;
}

std::string failure_text(const char* step, long code) {
  std::array<char, 48> added;
  std::snprintf(added.data(), added.size(), " (0x%08lX, Windows build %lu)",
                static_cast<unsigned long>(code), static_cast<unsigned long>(windows_build()));
  return step + std::string(added.data());
}

}  // namespace pypac
