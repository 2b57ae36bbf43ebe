// SPDX-License-Identifier: MIT
#include <windows.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "core/host_clock.hpp"
#include "core/time.hpp"
#include "os/windows/handle.hpp"

namespace pypac {
namespace {

std::int64_t ticks_per_second() noexcept {
  static const std::int64_t frequency = [] {
    LARGE_INTEGER value;
    QueryPerformanceFrequency(&value);  // cannot fail on what this runs on
    return value.QuadPart;
  }();
  return frequency;
}

/// Timers that no thread waits for now. Not one a thread: a thread_local allocates at its first
/// use.
class SpareTimers {
 public:
  /// None: Windows gives none.
  Handle take() noexcept {
    for (std::atomic<HANDLE>& place : places_)
      if (const HANDLE timer = place.exchange(nullptr)) return Handle(timer);
    // Windows' own sleep(), and a timer without this flag, come up to 16 ms late.
    constexpr DWORD kHighResolution = 2;  // CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
    return Handle(CreateWaitableTimerExW(nullptr, nullptr, kHighResolution, TIMER_ALL_ACCESS));
  }
  void give_back(Handle timer) noexcept {
    for (std::atomic<HANDLE>& place : places_) {
      HANDLE none = nullptr;
      if (place.compare_exchange_strong(none, timer.get())) {
        static_cast<void>(timer.release());
        return;
      }
    }
  }

 private:
  std::array<std::atomic<HANDLE>, 8> places_{};
};

SpareTimers spare_timers;

}  // namespace

HostTime SystemClock::now() const noexcept {
  LARGE_INTEGER ticks;
  QueryPerformanceCounter(&ticks);
  return time_of_ticks(ticks.QuadPart, ticks_per_second());
}

void SystemClock::sleep_until(HostTime time) noexcept {
  Handle timer;
  // A wait may end early by what the counter and the timer differ.
  for (HostTime rest = time - now(); rest > HostTime(0); rest = time - now()) {
    LARGE_INTEGER due;
    due.QuadPart = -std::max<std::int64_t>((rest.count() + 99) / 100, 1);  // 100 ns, from now
    if (!timer) timer = spare_timers.take();
    if (!timer || SetWaitableTimer(timer.get(), &due, 0, nullptr, nullptr, FALSE) == 0 ||
        WaitForSingleObject(timer.get(), INFINITE) != WAIT_OBJECT_0)
      Sleep(1);
  }
  if (timer) spare_timers.give_back(std::move(timer));
}

}  // namespace pypac
