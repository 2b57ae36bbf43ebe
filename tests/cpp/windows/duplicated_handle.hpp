// SPDX-License-Identifier: MIT
#pragma once

#include <windows.h>

#include <cstdint>

namespace pypac::test {

/// As a child process would get it.
inline std::intptr_t duplicated(std::intptr_t handle) {
  HANDLE copy = nullptr;
  DuplicateHandle(GetCurrentProcess(), reinterpret_cast<HANDLE>(handle), GetCurrentProcess(), &copy,
                  0, FALSE, DUPLICATE_SAME_ACCESS);
  return reinterpret_cast<std::intptr_t>(copy);
}

}  // namespace pypac::test
