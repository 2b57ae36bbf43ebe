// SPDX-License-Identifier: MIT
#pragma once

#include <windows.h>

#include <memory>
#include <string>
#include <vector>

namespace pypac {

/// [control-thread] Who this process runs as: its SID. Empty: Windows does not tell.
[[nodiscard]] std::vector<std::byte> user_sid();

/// [any-thread] True where the object of the kernel's or the file belongs to `sid`. The handle
/// needs READ_CONTROL.
[[nodiscard]] bool belongs_to(HANDLE object, const std::vector<std::byte>& sid) noexcept;

/// What makes an object this user's alone: owner and sole entry of its access list. Also where the
/// process runs elevated, and would give what it makes to all administrators.
class UserOnly {
 public:
  /// [control-thread] Throws Failure where Windows does not tell who the user is, or makes no such
  /// list: what others could read is not to be made.
  UserOnly();
  ~UserOnly();
  UserOnly(const UserOnly&) = delete;
  UserOnly& operator=(const UserOnly&) = delete;

  /// Never nullptr, with which Windows would take a list of its own. Valid as long as this object.
  [[nodiscard]] SECURITY_ATTRIBUTES* attributes() noexcept { return &attributes_; }

 private:
  std::vector<std::byte> sid_;
  std::vector<std::byte> access_list_;
  SECURITY_DESCRIPTOR descriptor_{};
  SECURITY_ATTRIBUTES attributes_{};
};

}  // namespace pypac
