// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <cstdint>

namespace pypac::test {

/// As a child process would get it.
inline std::intptr_t duplicated(std::intptr_t handle) {
  return dup(static_cast<int>(handle));
}

}  // namespace pypac::test
