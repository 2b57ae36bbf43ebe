// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <util/base.h>

namespace pypac::obs_plugin {

/// [any-thread] A line in OBS's log, cut at 500 bytes. Not for every block.
[[gnu::format(printf, 2, 3)]] void log(int level, const char* format, ...) noexcept;

}  // namespace pypac::obs_plugin
