// SPDX-License-Identifier: MIT
#pragma once

namespace pypac {

/// [any-thread, realtime-safe] The processor that this runs on has lanes of eight.
[[nodiscard]] bool has_wide_lanes() noexcept;

/// Which of a kernel's two builds is right here. Both give the same bits.
///
/// Example: `const auto run = chosen_kernel(narrow::run, PYPAC_WIDE(run));`
template <typename Kernel>
[[nodiscard]] Kernel chosen_kernel(Kernel narrow, Kernel wide) noexcept {
  return has_wide_lanes() ? wide : narrow;
}

}  // namespace pypac

/// The wide build of a kernel, where there is one.
#ifdef PYPAC_WITH_WIDE_LANES
#define PYPAC_WIDE(kernel) ::pypac::wide::kernel
#else
#define PYPAC_WIDE(kernel) ::pypac::narrow::kernel
#endif
