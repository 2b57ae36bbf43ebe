// SPDX-License-Identifier: MIT
#include "os/wake_signal.hpp"

#include <windows.h>

#include <algorithm>
#include <limits>

#include "core/status.hpp"
#include "os/windows/handle.hpp"
#include "os/windows/wide_text.hpp"

namespace pypac {

// A semaphore, as on the other systems: each notification ends one wait. An event would forget all
// but the last.
struct WakeSignal::Native {
  Handle semaphore;
};

WakeSignal::WakeSignal() : native_(std::make_unique<Native>()) {
  native_->semaphore =
      Handle(CreateSemaphoreW(nullptr, 0, std::numeric_limits<LONG>::max(), nullptr));
  if (!native_->semaphore) {
    const DWORD error = GetLastError();
    throw Failure(ErrorKind::unsupported, "no semaphore can be made: " + error_text(error), {},
                  static_cast<long>(error));
  }
}

WakeSignal::~WakeSignal() = default;

void WakeSignal::notify() noexcept {
  ReleaseSemaphore(native_->semaphore.get(), 1, nullptr);
}

bool WakeSignal::wait_for(std::chrono::nanoseconds timeout) noexcept {
  // Rounded up: whoever waits for a moment must not turn in circles until it is there.
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  const auto limited = std::clamp<long long>(milliseconds, 0, INFINITE - 1);
  return WaitForSingleObject(native_->semaphore.get(), static_cast<DWORD>(limited)) ==
         WAIT_OBJECT_0;
}

void WakeSignal::drain() noexcept {
  while (WaitForSingleObject(native_->semaphore.get(), 0) == WAIT_OBJECT_0) {
  }
}

}  // namespace pypac
