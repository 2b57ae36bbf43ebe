// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "core/status.hpp"

namespace pypac {

/// The name belongs to a writer that lives.
class NameInUse : public Failure {
 public:
  using Failure::Failure;
};

/// Memory that other programs of this user can read as a file:
/// `tracks/<session>/<track>` in the runtime folder. On Windows that file holds the name of a
/// section, because a file that is mapped would be written to the disk for ever.
///
/// The file appears whole or not at all, and all its memory is there before it does: a full file
/// system is an error here, never a signal later. It belongs to its writer for as long as that
/// lives; what a dead one left is replaced by a new file, so that readers of the old one notice.
///
/// Whoever can read the file can as a rule cut it off as well. That costs its readers the rest, and
/// this process nothing: the memory stays, is empty, and nobody reads it any more (lost()).
class SharedMemory {
 public:
  /// [control-thread] `fill` writes what is to be there when the file appears, into memory that is
  /// zero. Throws NameInUse, and Failure(invalid_argument, permission_denied or output_failed).
  SharedMemory(const std::string& session, const std::string& track, std::size_t bytes,
               const std::function<void(std::byte*)>& fill);
  /// [control-thread] Removes the file, then unmaps the memory.
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// [any-thread, realtime-safe] Aligned to a page. Valid as long as this object.
  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// [any-thread, realtime-safe] The file was cut off, and was touched since. Never goes back.
  [[nodiscard]] bool lost() const noexcept;
  /// [control-thread] False: readers have lost it, or are about to: it is shorter, or deleted.
  [[nodiscard]] bool intact() const noexcept;

  /// [control-thread] Takes the name away, if it still is this memory's. The memory stays.
  void remove() noexcept;

 private:
  struct Native;
  std::unique_ptr<Native> native_;
  std::byte* data_ = nullptr;
  std::size_t size_;
  std::string path_;
};

}  // namespace pypac
