// SPDX-License-Identifier: MIT
#pragma once

#include <windows.h>

#include <algorithm>
#include <chrono>

#include "core/host_clock.hpp"
#include "core/time.hpp"

namespace pypac {

/// How long to wait from now on, in ms as Windows' calls take it, rounded up; 0: it is past.
inline DWORD ms_until(HostTime deadline) noexcept {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - SystemClock().now()).count();
  return static_cast<DWORD>(std::max<decltype(left)>(left, 0));
}

}  // namespace pypac
