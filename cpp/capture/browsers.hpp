// SPDX-License-Identifier: MIT
#pragma once

#include "os/process_snapshot.hpp"

namespace pypac {

/// [any-thread] True if the process is a web browser's, by its program file (under Wine: by its
/// command). Other programs start one for a link, and what it plays is not theirs.
[[nodiscard]] bool is_browser(const ProcessEntry& process);

}  // namespace pypac
