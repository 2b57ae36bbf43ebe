// SPDX-License-Identifier: MIT
#include <thread>

#include "core/host_clock.hpp"

namespace pypac {

// CLOCK_MONOTONIC with libstdc++ and libc++.
using MonotonicClock = std::chrono::steady_clock;

HostTime SystemClock::now() const noexcept {
  return std::chrono::duration_cast<HostTime>(MonotonicClock::now().time_since_epoch());
}

void SystemClock::sleep_until(HostTime time) noexcept {
  std::this_thread::sleep_until(
      MonotonicClock::time_point(std::chrono::duration_cast<MonotonicClock::duration>(time)));
}

}  // namespace pypac
