// SPDX-License-Identifier: MIT
#pragma once

#include <windows.h>

#include <string>

namespace pypac {

/// Windows' GetPackageFamilyName, which not all headers declare.
using GetPackageFamily = LONG(WINAPI*)(HANDLE, UINT32*, wchar_t*);

/// [any-thread] nullptr where this Windows has none.
[[nodiscard]] GetPackageFamily get_package_family() noexcept;

/// [any-thread] The family of the packaged app that a process is of, as
/// "SpotifyAB.SpotifyMusic_zpdnekdrzrea0"; empty: of none. The process must have been opened with
/// PROCESS_QUERY_LIMITED_INFORMATION or more.
[[nodiscard]] std::string package_family_of(HANDLE process, GetPackageFamily ask);

}  // namespace pypac
