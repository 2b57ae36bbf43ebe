// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace pypac {

/// What priority a thread has now.
struct ThreadPriority {
  bool realtime = false;
  int priority = 0;     // the system's number while realtime (Linux: 1..99)
  std::string refusal;  // why it is not realtime, in words; empty: it is
};

/// [any-thread] Asks for real-time scheduling of the calling thread at `priority` (1..99), until it
/// ends. Windows has one for audio ("Pro Audio" of its Multimedia Class Scheduler), whatever is
/// asked for. A refusal is no error: it is returned, to be shown.
[[nodiscard]] ThreadPriority raise_thread_priority(int priority);

/// [any-thread, realtime-safe] The system's number for the calling thread.
[[nodiscard]] std::int64_t current_thread_id() noexcept;

/// [any-thread] Of any thread of this process.
[[nodiscard]] ThreadPriority thread_priority(std::int64_t thread_id);

}  // namespace pypac
