// SPDX-License-Identifier: MIT
#include "pipewire/pipewire_connection.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace pypac {
namespace {

constexpr int kVersionWithRealtimeClients = 1'004'000;

/// Connects to the daemon's socket; -1 and errno where that fails. Not by the property remote.name:
/// the environment's PIPEWIRE_REMOTE goes before it, and leads to the user's own daemon.
int open_socket(const std::string& remote) {
  std::string path = remote;
  if (!path.starts_with('/')) {
    const char* folder = std::getenv("PIPEWIRE_RUNTIME_DIR");
    if (!folder) folder = std::getenv("XDG_RUNTIME_DIR");
    path = std::string(folder ? folder : "") + "/" + remote;
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (file < 0) return -1;
  if (connect(file, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return file;
  const int error = errno;
  close(file);
  errno = error;
  return -1;
}

}  // namespace

pw_context* new_pipewire_context(const PipewireApi& api, pw_loop* loop) {
  pw_properties* properties = api.properties_new(nullptr, nullptr);
  // Only from 1.4 on does client.conf give the data thread real-time priority.
  if (api.version_number() < kVersionWithRealtimeClients) {
    api.properties_set(properties, PW_KEY_CONFIG_NAME, "client-rt.conf");
  }
  pw_context* const context = api.context_new(loop, properties, 0);
  if (!context) {
    throw pipewire_setup_failure(errno, "client configuration or modules cannot be read");
  }
  return context;
}

pw_core* connect_to_pipewire(const PipewireApi& api, pw_context* context, const std::string& remote,
                             int& error) {
  pw_core* core = nullptr;
  if (remote.empty()) {
    core = api.context_connect(context, nullptr, 0);
  } else if (const int socket = open_socket(remote); socket >= 0) {
    core = api.context_connect_fd(context, socket, nullptr, 0);
  }
  if (!core) error = errno;
  return core;
}

}  // namespace pypac
