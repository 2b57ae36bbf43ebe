// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace pypac::test {

/// How often this thread has called operator new. Link allocation_counter.cpp.
[[nodiscard]] std::size_t allocations() noexcept;

/// How often threads with the role capture or pump have.
[[nodiscard]] std::size_t realtime_allocations() noexcept;

}  // namespace pypac::test
