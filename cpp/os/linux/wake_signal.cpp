// SPDX-License-Identifier: MIT
#include "os/wake_signal.hpp"

#include <semaphore.h>
#include <time.h>

#include <cerrno>

namespace pypac {

struct WakeSignal::Native {
  sem_t semaphore;
};

WakeSignal::WakeSignal() : native_(std::make_unique<Native>()) {
  sem_init(&native_->semaphore, 0, 0);
}

WakeSignal::~WakeSignal() {
  sem_destroy(&native_->semaphore);
}

void WakeSignal::notify() noexcept {
  sem_post(&native_->semaphore);
}

bool WakeSignal::wait_for(std::chrono::nanoseconds timeout) noexcept {
  timespec deadline{};
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  const long long nanoseconds = deadline.tv_nsec + timeout.count();
  deadline.tv_sec += static_cast<time_t>(nanoseconds / 1'000'000'000);
  deadline.tv_nsec = static_cast<long>(nanoseconds % 1'000'000'000);
  while (sem_clockwait(&native_->semaphore, CLOCK_MONOTONIC, &deadline) != 0)
    if (errno != EINTR) return false;
  return true;
}

void WakeSignal::drain() noexcept {
  while (sem_trywait(&native_->semaphore) == 0) {
  }
}

}  // namespace pypac
