// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace pypac {

/// What windows that slide over values hold, in place: values[i] becomes that of values[i] to
/// values[i + window - 1]. Each result is made in the same way wherever its block begins, so blocks
/// of any length give the same bits. Takes log2(window) passes, in lanes over time, and reads and
/// writes up to kLanePadding values behind the last.
///
/// Example: the maxima of 1 5 2 3 in a window of 2 are 5 5 3.
namespace narrow {
/// The largest of each window: `count` values give count - window + 1.
void sliding_maximum(float* values, std::size_t count, std::size_t window) noexcept;
/// Their sum; `window` is a power of two.
void sliding_sum(float* values, std::size_t count, std::size_t window) noexcept;
}  // namespace narrow

namespace wide {
void sliding_maximum(float* values, std::size_t count, std::size_t window) noexcept;
void sliding_sum(float* values, std::size_t count, std::size_t window) noexcept;
}  // namespace wide

}  // namespace pypac
