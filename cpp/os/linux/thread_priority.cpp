// SPDX-License-Identifier: MIT
#include "os/thread_priority.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace pypac {
namespace {

std::string refusal_of(int error) {
  std::string text = "real-time scheduling was refused";
  if (error != 0) text += std::string(" (") + std::strerror(error) + ")";
  rlimit limit{};
  if (getrlimit(RLIMIT_RTPRIO, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    text += "; the limit on real-time priority (ulimit -r) is " + std::to_string(limit.rlim_cur);
  }
  return text;
}

}  // namespace

std::int64_t current_thread_id() noexcept {
  return gettid();
}

ThreadPriority thread_priority(std::int64_t thread_id) {
  const pid_t thread = static_cast<pid_t>(thread_id);
  const int policy = sched_getscheduler(thread) & ~SCHED_RESET_ON_FORK;
  sched_param parameters{};
  if ((policy == SCHED_FIFO || policy == SCHED_RR) && sched_getparam(thread, &parameters) == 0) {
    return {true, parameters.sched_priority, {}};
  }
  return {false, 0, refusal_of(0)};
}

ThreadPriority raise_thread_priority(int priority) {
  sched_param parameters{};
  parameters.sched_priority =
      std::clamp(priority, sched_get_priority_min(SCHED_FIFO), sched_get_priority_max(SCHED_FIFO));
  // A child process must not inherit real-time priority unseen.
  const int error =
      pthread_setschedparam(pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters);
  if (error == 0) return {true, parameters.sched_priority, {}};
  return {false, 0, refusal_of(error)};
}

}  // namespace pypac
