// SPDX-License-Identifier: MIT
#include "os/linux/user_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "os/runtime_folder.hpp"

namespace pypac {
namespace {
constexpr mode_t kOwnerOnly = 0700;
constexpr mode_t kOthers = 0077;
constexpr mode_t kOthersWrite = 0022;

FileDescriptor open_folder(int parent, const std::string& name, mode_t refused) noexcept {
  FileDescriptor folder(
      openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat found {};
  if (!folder || fstat(folder.get(), &found) != 0) return {};
  if (found.st_uid != geteuid() || (found.st_mode & refused) != 0) {
    errno = EPERM;
    return {};
  }
  return folder;
}
}  // namespace

std::string runtime_folder() {
  // The XDG base directory specification: a path that is not absolute counts as not set.
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime && runtime[0] == '/') return std::string(runtime) + "/pypac-obs";
  return "/tmp/pypac-obs-" + std::to_string(geteuid());
}

FileDescriptor open_user_folder(int parent, const std::string& name) noexcept {
  return open_folder(parent, name, kOthers);
}

FileDescriptor open_way_to_user_folder(int parent, const std::string& name) noexcept {
  return open_folder(parent, name, kOthersWrite);
}

FileDescriptor make_user_folder(int parent, const std::string& name) noexcept {
  if (mkdirat(parent, name.c_str(), kOwnerOnly) != 0 && errno != EEXIST) return {};
  return open_user_folder(parent, name);
}

}  // namespace pypac
