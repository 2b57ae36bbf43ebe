// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "sinks/shared_track_format.hpp"

namespace pypac {

/// Example: 0x0a, 0xff, ... -> "0aff...", 32 digits.
[[nodiscard]] inline std::string hex_of(const shared_track::SessionId& id) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : id) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

}  // namespace pypac
