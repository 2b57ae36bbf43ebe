// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace pypac {

/// [any-thread] True if `pattern` means the whole of `text`: `*` is any number of characters, `?`
/// is one, and everything else stands for itself, brackets and backslashes too. Case and Unicode's
/// normal forms play no part. Both are UTF-8.
[[nodiscard]] bool text_matches(std::string_view pattern, std::string_view text);

}  // namespace pypac
