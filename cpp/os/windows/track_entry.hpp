// SPDX-License-Identifier: MIT
#pragma once

#include <windows.h>

#include <array>
#include <cstddef>
#include <string>

namespace pypac {

/// A shared track's entry: a small file `tracks\SESSION\TRACK` in the runtime folder, that holds
/// the name of the memory in one line. The writer has it open, so that nobody else can write to it,
/// and Windows deletes it when that one ends, however it ends.
struct TrackEntry {
  /// `Local\pypac-obs-` and 32 hexadecimal digits.
  static constexpr std::size_t kNameLength = 16 + 32;
  /// Ends with a zero.
  using Name = std::array<wchar_t, kNameLength + 1>;

  /// [reader] The name that the entry at `path` holds. False: there is none, or it holds none.
  [[nodiscard]] static bool read(const std::wstring& path, Name& name) noexcept;

  /// [control-thread] A name that no other memory has. ASCII.
  [[nodiscard]] static std::string new_name();

  /// [control-thread] The folder of all sessions, without a backslash at its end. In the form that
  /// takes any file name as it is: `\\?\...`.
  [[nodiscard]] static std::wstring tracks_folder();
};

}  // namespace pypac
