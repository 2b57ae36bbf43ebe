// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdlib>

namespace pypac::test {

/// `size` is a multiple of `alignment`.
inline void* aligned_memory(std::size_t alignment, std::size_t size) noexcept {
  return std::aligned_alloc(alignment, size);
}
inline void free_aligned_memory(void* memory) noexcept {
  std::free(memory);
}

}  // namespace pypac::test
