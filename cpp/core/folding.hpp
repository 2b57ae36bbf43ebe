// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace pypac {

/// Set on the first code point of each character in folded text: a letter with its accents is one
/// character, and so is "ß", which folds to two.
inline constexpr char32_t kCharacterBegins = 0x8000'0000;

/// [any-thread] UTF-8 as code points by which texts are compared: equal for texts that differ in
/// case, in their Unicode normal form or in the kind of their blanks alone, or in characters that
/// cannot be shown. Example: "É" as one code point or as two, and "é".
[[nodiscard]] std::u32string folded(std::string_view text);

}  // namespace pypac
