// SPDX-License-Identifier: MIT
#pragma once

#include "windows_headers.hpp"

namespace fake {

/// The enumerator of the script's endpoints, with one reference.
[[nodiscard]] IMMDeviceEnumerator* make_device_enumerator();

}  // namespace fake
