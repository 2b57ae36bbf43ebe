// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pypac {

/// Longer names than any program file has; a program may give itself any.
inline constexpr std::size_t kLongestName = 256;

/// [any-thread] A name from outside as text that can be shown: each byte that is not UTF-8 becomes
/// U+FFFD, and what would go over `limit` bytes is cut off, between two characters. Example: in
/// Latin-1, "caf\xe9" becomes "caf\xef\xbf\xbd".
[[nodiscard]] std::string valid_utf8(std::string_view text, std::size_t limit = kLongestName);

}  // namespace pypac
