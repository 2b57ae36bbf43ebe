// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pypac {

/// Bytes under a name, that others may change, cut off or replace at any time.
class SharedBytes {
 public:
  virtual ~SharedBytes() = default;

  /// Opens what lies under the name now, instead of what was open. False: nothing.
  [[nodiscard]] virtual bool open() noexcept = 0;
  /// True where something else or nothing lies under the name by now, in the folder that it was
  /// found in.
  [[nodiscard]] virtual bool replaced() noexcept = 0;
  /// How many bytes there are now.
  [[nodiscard]] virtual std::uint64_t size() noexcept = 0;
  /// Copies up to `bytes` bytes from `offset` on, and returns how many. Of what was cut off
  /// meanwhile it may give zeros, up to a page: size() tells.
  [[nodiscard]] virtual std::size_t read_at(std::uint64_t offset, void* destination,
                                            std::size_t bytes) noexcept = 0;
};

/// The file of a SharedMemory, in this or another process. Nothing that is done to the file can
/// crash or block its reader: it is mapped under a MappingGuard, or read where that has no room,
/// and it is one only if it is a regular file of this user's. On Windows it is a section that is
/// this user's: nobody can shorten one.
class SharedFile final : public SharedBytes {
 public:
  /// [control-thread] Opens nothing yet.
  SharedFile(const std::string& session, const std::string& track);
  ~SharedFile() override;

  [[nodiscard]] bool open() noexcept override;
  [[nodiscard]] bool replaced() noexcept override;
  [[nodiscard]] std::uint64_t size() noexcept override;
  [[nodiscard]] std::size_t read_at(std::uint64_t offset, void* destination,
                                    std::size_t bytes) noexcept override;

 private:
  struct Native;
  std::unique_ptr<Native> native_;
};

/// [control-thread] Sessions and tracks that have a file, sorted, at most `limit`.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> list_shared_files(std::size_t limit);

}  // namespace pypac
