// SPDX-License-Identifier: MIT
#pragma once

#include "core/time.hpp"

namespace pypac {

/// Where host time comes from. Injected, so that tests and offline runs bring their own.
class HostClock {
 public:
  virtual ~HostClock() = default;

  /// [any-thread, realtime-safe]
  [[nodiscard]] virtual HostTime now() const noexcept = 0;

  /// [any-thread] Returns at `time` or later; a manual clock moves there at once.
  virtual void sleep_until(HostTime time) noexcept = 0;
};

/// The operating system's monotonic clock. Each system's folder in cpp/os has its own.
class SystemClock final : public HostClock {
 public:
  [[nodiscard]] HostTime now() const noexcept override;
  void sleep_until(HostTime time) noexcept override;
};

/// A clock that stands still until it is told to move. For one thread.
class ManualClock final : public HostClock {
 public:
  explicit ManualClock(HostTime start = {}) : now_(start) {}

  [[nodiscard]] HostTime now() const noexcept override { return now_; }
  void sleep_until(HostTime time) noexcept override {
    if (time > now_) now_ = time;
  }
  void advance(HostTime by) noexcept { now_ += by; }

 private:
  HostTime now_;
};

}  // namespace pypac
