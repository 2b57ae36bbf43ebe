// SPDX-License-Identifier: MIT
#pragma once

#include <malloc.h>

#include <cstddef>

namespace pypac::test {

/// `size` is a multiple of `alignment`.
inline void* aligned_memory(std::size_t alignment, std::size_t size) noexcept {
  return _aligned_malloc(size, alignment);
}
inline void free_aligned_memory(void* memory) noexcept {
  _aligned_free(memory);
}

}  // namespace pypac::test
