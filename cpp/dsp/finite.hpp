// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace pypac {

namespace narrow {
bool all_finite(const float* samples, std::size_t count) noexcept;
}
namespace wide {
bool all_finite(const float* samples, std::size_t count) noexcept;
}

/// [any-thread, realtime-safe] None of the samples is NaN or infinite.
[[nodiscard]] bool all_finite(const float* samples, std::size_t count) noexcept;

/// [any-thread, realtime-safe] Makes what is NaN or infinite 0; true: something was.
bool silence_not_finite(float* samples, std::size_t count) noexcept;

}  // namespace pypac
