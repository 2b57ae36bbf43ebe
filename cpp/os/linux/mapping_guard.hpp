// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pypac {

/// Keeps a mapped file that another program cuts off from ending this process.
///
/// Touching a page that the file no longer has is a SIGBUS. For a guarded range, and for no other,
/// the handler lays empty memory of the process's own over all of it: the thread goes on with its
/// next instruction, and what it writes from then on nobody reads. It happens once a range, costs
/// that thread one system call, and takes no lock. All other bus errors go where they went before.
class MappingGuard {
 public:
  /// [control-thread] The range lies on pages, is mapped for reading and writing, and stays so for
  /// as long as this object. Throws Failure(output_failed) where there are too many of them.
  MappingGuard(std::byte* data, std::size_t size);
  /// [control-thread]
  ~MappingGuard();
  MappingGuard(const MappingGuard&) = delete;
  MappingGuard& operator=(const MappingGuard&) = delete;

  /// [any-thread, realtime-safe] The range is no longer the file's.
  [[nodiscard]] bool lost() const noexcept;

  struct Range {
    std::atomic<std::uintptr_t> begin{0};  // 0: free
    std::atomic<std::uintptr_t> end{0};
    std::atomic<bool> lost{false};
  };

 private:
  Range* range_ = nullptr;
};

}  // namespace pypac
