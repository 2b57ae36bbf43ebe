// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace pypac {

/// Memory without a name that is shared with a child process, which is passed its handle: a file
/// descriptor, or on Windows a handle of the kernel's.
///
/// All of it is there once it is made, and whoever has the handle cannot cut it off.
class PassedMemory {
 public:
  /// [control-thread] New, and zero. Throws Failure(output_failed).
  explicit PassedMemory(std::size_t bytes);
  /// [control-thread] What another process has made. Takes the handle over. Throws
  /// Failure(invalid_argument).
  PassedMemory(std::intptr_t handle, std::size_t bytes);
  ~PassedMemory();
  PassedMemory(const PassedMemory&) = delete;
  PassedMemory& operator=(const PassedMemory&) = delete;

  /// [any-thread, realtime-safe] Aligned to a page. Valid as long as this object.
  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// [control-thread] No child process gets it unasked.
  [[nodiscard]] std::intptr_t handle() const noexcept;

 private:
  struct Native;
  std::unique_ptr<Native> native_;
  std::byte* data_ = nullptr;
  std::size_t size_;
};

}  // namespace pypac
