// SPDX-License-Identifier: MIT
#include "pipewire/environment_trouble.hpp"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <vector>

namespace pypac {
namespace {

constexpr const char* kStart =
    "Start it with: systemctl --user start pipewire wireplumber pipewire-pulse";
constexpr const char* kOtherUser = "Run this as the user whose session plays the audio.";

// A connection takes fewer, and hands them on by messages that are cut short without a word.
constexpr std::size_t kSpareDescriptors = 24;

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

/// Set, by its name.
std::string first_set(std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    if (!variable(name).empty()) return name;
  }
  return {};
}

bool lacks_descriptors(int error) {
  if (error == EMFILE || error == ENFILE) return true;
  std::vector<int> files;
  int refused = 0;
  while (refused == 0 && files.size() < kSpareDescriptors) {
    const int file = eventfd(0, EFD_CLOEXEC);
    if (file < 0) {
      refused = errno;
    } else {
      files.push_back(file);
    }
  }
  for (const int file : files) close(file);
  return refused == EMFILE || refused == ENFILE;
}

Failure too_few_descriptors(int error) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return Failure(ErrorKind::backend_unavailable,
                 "PipeWire cannot be reached with so few file descriptors",
                 "Raise their number, which is " + std::to_string(limit.rlim_cur) +
                     " (ulimit -n): ulimit -n 1024",
                 error);
}

/// A process that was started by sudo is the wrong user, whatever else is wrong.
std::string without_sudo(const std::string& otherwise) {
  const bool sudo = !variable("SUDO_UID").empty() && geteuid() == 0;
  return sudo ? "Run this without sudo, as the user whose session plays the audio." : otherwise;
}

std::string export_folder() {
  return "Set it to the folder of the session that plays: export XDG_RUNTIME_DIR=/run/user/" +
         std::to_string(geteuid());
}

/// Whose it is, as far as that can be seen: where a folder above is closed, the owner of that.
std::optional<uid_t> owner_of(std::string path) {
  struct stat info {};
  while (stat(path.c_str(), &info) != 0) {
    const std::size_t slash = path.find_last_of('/');
    if (slash == std::string::npos || slash == 0) return std::nullopt;
    path.resize(slash);
  }
  return info.st_uid;
}

Failure not_allowed(const std::string& what, const std::string& path, int error) {
  std::string words = what + ", which this user may not use";
  const std::optional<uid_t> owner = owner_of(path);
  if (owner && *owner != geteuid()) {
    words += ": it belongs to another user (UID " + std::to_string(*owner) + ", this is " +
             std::to_string(geteuid()) + ")";
  }
  return Failure(ErrorKind::permission_denied, words, without_sudo(kOtherUser), error);
}

/// What is wrong with the folder that a variable names; nothing: it is there.
std::optional<Failure> folder_failure(const std::string& name, const std::string& folder) {
  const std::string is = name + " is " + folder;
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0) {
    const int error = errno;
    if (error == EACCES) return not_allowed("PipeWire's socket is in " + folder, folder, error);
    return Failure(
        ErrorKind::backend_unavailable,
        is + ", which is not there, so PipeWire's socket is not found",
        without_sudo(name == "XDG_RUNTIME_DIR" ? export_folder() : "Unset " + name + "."), error);
  }
  if (!S_ISDIR(info.st_mode)) {
    return Failure(ErrorKind::backend_unavailable, is + ", which is no folder",
                   without_sudo(export_folder()), ENOTDIR);
  }
  return std::nullopt;
}

/// Connects, to see why that fails; 0: it does not.
int connection_error(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return ENAMETOOLONG;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (file < 0) return errno;
  const int error =
      connect(file, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ? 0 : errno;
  close(file);
  return error;
}

Failure not_running(const std::string& why, int error) {
  const std::string remote = variable("PIPEWIRE_REMOTE");
  const std::string unset =
      remote.empty() ? "" : " (or unset PIPEWIRE_REMOTE, which is " + remote + ")";
  return Failure(ErrorKind::backend_unavailable, "PipeWire is not running (" + why + ")",
                 without_sudo(kStart + unset), error);
}

/// What is wrong with the daemon's socket.
Failure socket_failure(const std::string& path, int error) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    if (errno == EACCES) return not_allowed("PipeWire's socket is " + path, path, errno);
    return not_running("there is no " + path, error);
  }
  if (!S_ISSOCK(info.st_mode)) return not_running(path + " is no socket", error);
  const int refused = connection_error(path);
  if (refused == EACCES || refused == EPERM) {
    return not_allowed("PipeWire's socket is " + path, path, refused);
  }
  if (refused == ECONNREFUSED) return not_running("nobody answers at " + path, refused);
  return not_running(std::string(std::strerror(refused != 0 ? refused : error)) + " at " + path,
                     error);
}

}  // namespace

Failure pipewire_connection_failure(int error, const std::string& remote) {
  if (lacks_descriptors(error)) return too_few_descriptors(error);
  std::string socket = remote.empty() ? variable("PIPEWIRE_REMOTE") : remote;
  if (socket.empty()) socket = "pipewire-0";
  if (!socket.starts_with('/')) {
    const std::string name = first_set({"PIPEWIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR"});
    if (name.empty()) {
      return Failure(ErrorKind::backend_unavailable,
                     "XDG_RUNTIME_DIR is not set, so PipeWire's socket is not found",
                     without_sudo(export_folder()), error);
    }
    const std::string folder = variable(name.c_str());
    if (const auto failure = folder_failure(name, folder)) return *failure;
    socket = folder + "/" + socket;
  }
  return socket_failure(socket, error);
}

Failure pipewire_setup_failure(int error, const std::string& what) {
  if (lacks_descriptors(error)) return too_few_descriptors(error);
  const std::string cannot = "PipeWire's " + what;
  constexpr std::array kVariables{"PIPEWIRE_CONFIG_DIR", "PIPEWIRE_CONFIG_PREFIX",
                                  "PIPEWIRE_MODULE_DIR", "SPA_PLUGIN_DIR", "SPA_SUPPORT_LIB"};
  std::string set;
  std::string names;
  for (const char* const name : kVariables) {
    const std::string value = variable(name);
    if (value.empty()) continue;
    set += (set.empty() ? ": " : ", ") + std::string(name) + " is " + value;
    names += (names.empty() ? "" : " and ") + std::string(name);
  }
  if (!names.empty()) {
    return Failure(ErrorKind::backend_unavailable, cannot + set,
                   "Unset " + names + ": then PipeWire finds its own files.", error);
  }
  return Failure(ErrorKind::backend_unavailable, cannot,
                 "Install PipeWire: sudo apt install pipewire", error);
}

}  // namespace pypac
