// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace pypac::test {

/// How often this thread has called operator new.
[[nodiscard]] std::size_t allocations() noexcept;

}  // namespace pypac::test
