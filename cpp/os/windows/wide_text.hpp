// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace pypac {

/// [any-thread] Windows' UTF-16 as UTF-8; half a surrogate pair becomes U+FFFD.
[[nodiscard]] std::string utf8_of(std::wstring_view text);

/// [any-thread] UTF-8 as Windows' UTF-16; what is not UTF-8 becomes U+FFFD.
[[nodiscard]] std::wstring wide_of(std::string_view text);

/// [any-thread] What Windows says about an error code (GetLastError(), HRESULT), in one line.
[[nodiscard]] std::string error_text(unsigned long code);

}  // namespace pypac
