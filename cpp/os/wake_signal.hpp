// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>

namespace pypac {

/// Lets a real-time thread wake one waiting thread.
///
/// Not std::counting_semaphore: libstdc++ 12 can sleep forever in its timed wait (GCC bug 104928).
class WakeSignal {
 public:
  /// [control-thread]
  WakeSignal();
  ~WakeSignal();
  WakeSignal(const WakeSignal&) = delete;
  WakeSignal& operator=(const WakeSignal&) = delete;

  /// [any-thread, realtime-safe] Ends one wait_for(), the present or the next.
  void notify() noexcept;
  /// [reader] True when notified, false when the time is over.
  bool wait_for(std::chrono::nanoseconds timeout) noexcept;
  /// [reader] Forgets notifications that nobody waited for.
  void drain() noexcept;

 private:
  struct Native;
  std::unique_ptr<Native> native_;
};

}  // namespace pypac
