// SPDX-License-Identifier: MIT
#include "core/thread_role.hpp"

namespace pypac {
namespace {
thread_local ThreadRole role_of_this_thread = ThreadRole::control;
}

ThreadRole current_thread_role() noexcept {
  return role_of_this_thread;
}

ScopedThreadRole::ScopedThreadRole(ThreadRole role) noexcept : previous_(role_of_this_thread) {
  role_of_this_thread = role;
}

ScopedThreadRole::~ScopedThreadRole() {
  role_of_this_thread = previous_;
}

}  // namespace pypac
