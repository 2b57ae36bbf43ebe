// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

/// Allocations made so far on threads with the role capture or pump. Link realtime_guard.cpp.
[[nodiscard]] std::uint64_t realtime_allocations() noexcept;
