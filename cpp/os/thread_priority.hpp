// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace pypac {

/// What priority a thread has now.
struct ThreadPriority {
  bool realtime = false;
  int priority = 0;     // 1..99 while realtime
  std::string refusal;  // why it is not realtime, in words; empty: it is
};

/// [any-thread] Asks for real-time scheduling of the calling thread at `priority` (1..99). A refusal is
/// no error: it is returned, to be shown.
[[nodiscard]] ThreadPriority raise_thread_priority(int priority);

/// [any-thread] Of the calling thread.
[[nodiscard]] ThreadPriority current_thread_priority();

}  // namespace pypac
