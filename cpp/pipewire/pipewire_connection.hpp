// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "core/status.hpp"
#include "pipewire/environment_trouble.hpp"
#include "pipewire/pipewire_api.hpp"

namespace pypac {

/// Every node of ours carries this property, in this process and in others: captures leave it out.
inline constexpr const char* kOwnNodeMark = "pypac-obs.node";

/// Holds a loop's lock.
class PipewireLoopLock {
 public:
  PipewireLoopLock(const PipewireApi& api, pw_thread_loop* loop) : api_(api), loop_(loop) {
    api_.thread_loop_lock(loop_);
  }
  ~PipewireLoopLock() { api_.thread_loop_unlock(loop_); }
  PipewireLoopLock(const PipewireLoopLock&) = delete;
  PipewireLoopLock& operator=(const PipewireLoopLock&) = delete;

 private:
  const PipewireApi& api_;
  pw_thread_loop* loop_;
};

/// [control-thread] A context whose data thread gets real-time priority where the system grants it.
/// Throws Failure(backend_unavailable).
[[nodiscard]] pw_context* new_pipewire_context(const PipewireApi& api, pw_loop* loop);

/// [control-thread] Connects to the daemon at `remote`, a socket's name or path; empty: as PipeWire
/// does. nullptr and `error`, an errno, where that fails.
[[nodiscard]] pw_core* connect_to_pipewire(const PipewireApi& api, pw_context* context,
                                           const std::string& remote, int& error);

}  // namespace pypac
