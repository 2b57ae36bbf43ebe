// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pypac {

/// [any-thread] Where this user's programs meet: `$XDG_RUNTIME_DIR/pypac-obs`, or
/// `/tmp/pypac-obs-UID` where that is not set; on Windows `%USERPROFILE%\.pypac-obs`. It need not
/// be there yet. pypac_obs/runtime_folder.py says the same.
[[nodiscard]] std::string runtime_folder();

/// [any-thread] Any name as the name of one file, reversibly: every byte but letters, digits,
/// space,
/// `_`, `-` and `.` becomes `%XX`, and so does a leading `.`. Nothing for a name that is empty or
/// too long for that. Examples: "game" stays, "a/b" becomes "a%2Fb", ".." becomes "%2E.".
[[nodiscard]] std::optional<std::string> file_name_of(std::string_view name);

/// [any-thread] The name that file_name_of() gave this file name for; nothing if it gave it for
/// none.
[[nodiscard]] std::optional<std::string> name_of_file(std::string_view file_name);

}  // namespace pypac
