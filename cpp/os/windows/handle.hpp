// SPDX-License-Identifier: MIT
#pragma once

#include <windows.h>

#include <utility>

namespace pypac {

/// Owns a handle of the kernel's. None of the calls that make one agree on how they say "none", so
/// both are.
class Handle {
 public:
  Handle() = default;
  explicit Handle(HANDLE handle) noexcept
      : handle_(handle == INVALID_HANDLE_VALUE ? nullptr : handle) {}
  ~Handle() { reset(); }
  Handle(Handle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      reset();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  [[nodiscard]] HANDLE get() const noexcept { return handle_; }
  [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }
  [[nodiscard]] HANDLE release() noexcept { return std::exchange(handle_, nullptr); }
  /// Leaves GetLastError() as it is.
  void reset() noexcept {
    if (!handle_) return;
    const DWORD error = GetLastError();
    CloseHandle(handle_);
    SetLastError(error);
    handle_ = nullptr;
  }

 private:
  HANDLE handle_ = nullptr;
};

}  // namespace pypac
