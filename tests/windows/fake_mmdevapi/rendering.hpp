// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "process_tree.hpp"

namespace fake {

/// Tells the double in other processes whether this one renders sound, or only zeros or nothing.
/// [any-thread]
void tell_rendering(bool sound);

/// Does a process render sound, by its own double?
[[nodiscard]] bool renders_sound(Pid pid);

}  // namespace fake
