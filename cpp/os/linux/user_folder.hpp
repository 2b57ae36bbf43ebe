// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <string>
#include <utility>

namespace pypac {

/// Owns a file descriptor; -1: none.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int number) noexcept : number_(number) {}
  ~FileDescriptor() { reset(); }
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      reset();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  [[nodiscard]] int get() const noexcept { return number_; }
  [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }
  void reset() noexcept {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
  }

 private:
  int number_ = -1;
};

/// The folder `name` in `parent` (AT_FDCWD: a path), if it is a folder of this user's, no link, and
/// closed to everybody else. Otherwise none, and errno says why (EPERM: not the user's own).
[[nodiscard]] FileDescriptor open_user_folder(int parent, const std::string& name) noexcept;

/// The same for the way to such a folder, which others may see but not change. In a Flatpak's
/// sandbox it is made with mode 0755 around what is let in.
[[nodiscard]] FileDescriptor open_way_to_user_folder(int parent, const std::string& name) noexcept;

/// As open_user_folder(), and made where it is not there.
[[nodiscard]] FileDescriptor make_user_folder(int parent, const std::string& name) noexcept;

}  // namespace pypac
