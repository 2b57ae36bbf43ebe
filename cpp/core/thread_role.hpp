// SPDX-License-Identifier: MIT
#pragma once

#include <cassert>

namespace pypac {

/// What a thread is here for. The contracts in the headers name these roles:
///
/// - `[control-thread]`  whoever owns the object (Python, the loop of an audio system): may
/// allocate, lock, wait.
/// - `[capture-thread]`  an audio system's real-time callback: stamps and pushes.
/// - `[pump]`            the one thread that advances time: mixes, filters, meters, fans out.
/// - `[reader]`          the one consumer of a ring.
/// - `[any-thread, realtime-safe]`  no lock, allocation or I/O, and safe beside everything else.
///
/// Capture threads and the pump never lock, allocate, do I/O, log or run Python.
enum class ThreadRole { control, capture, pump };

[[nodiscard]] ThreadRole current_thread_role() noexcept;
[[nodiscard]] inline bool on_realtime_thread() noexcept {
  return current_thread_role() != ThreadRole::control;
}

/// Gives the calling thread a role for as long as this object lives.
class ScopedThreadRole {
 public:
  explicit ScopedThreadRole(ThreadRole role) noexcept;
  ~ScopedThreadRole();
  ScopedThreadRole(const ScopedThreadRole&) = delete;
  ScopedThreadRole& operator=(const ScopedThreadRole&) = delete;

 private:
  ThreadRole previous_;
};

}  // namespace pypac

/// Debug builds stop where a method is called from a thread whose contract forbids it.
#define PYPAC_ASSERT_NOT_REALTIME() assert(!::pypac::on_realtime_thread())
#define PYPAC_ASSERT_PUMP() assert(::pypac::current_thread_role() == ::pypac::ThreadRole::pump)
