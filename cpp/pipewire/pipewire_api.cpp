// SPDX-License-Identifier: MIT
#include "pipewire/pipewire_api.hpp"

#include <dlfcn.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "core/status.hpp"
#include "pipewire/environment_trouble.hpp"

namespace pypac {
namespace {

constexpr const char* kLibrary = "libpipewire-0.3.so.0";

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (!function) {
    throw Failure(ErrorKind::unsupported, std::string("this version of PipeWire has no ") + name,
                  "Update PipeWire to " PYPAC_PIPEWIRE_MINIMUM " or newer.");
  }
}

PipewireApi load_library() {
  // Never closed: its threads and its static data live as long as the process.
  void* const library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const std::string why = dlerror();
    if (why.find(std::strerror(EMFILE)) != std::string::npos) {
      throw pipewire_setup_failure(EMFILE, "library cannot be loaded");
    }
    throw Failure(ErrorKind::backend_unavailable,
                  "PipeWire's library is not installed (" + why + ")",
                  "sudo apt install pipewire libpipewire-0.3-0");
  }
  PipewireApi api;
  find(library, "pw_init", api.init);
  find(library, "pw_get_library_version", api.get_library_version);
  find(library, "pw_thread_loop_new", api.thread_loop_new);
  find(library, "pw_thread_loop_destroy", api.thread_loop_destroy);
  find(library, "pw_thread_loop_get_loop", api.thread_loop_get_loop);
  find(library, "pw_thread_loop_start", api.thread_loop_start);
  find(library, "pw_thread_loop_stop", api.thread_loop_stop);
  find(library, "pw_thread_loop_lock", api.thread_loop_lock);
  find(library, "pw_thread_loop_unlock", api.thread_loop_unlock);
  find(library, "pw_context_new", api.context_new);
  find(library, "pw_context_destroy", api.context_destroy);
  find(library, "pw_context_connect", api.context_connect);
  find(library, "pw_context_connect_fd", api.context_connect_fd);
  find(library, "pw_core_disconnect", api.core_disconnect);
  find(library, "pw_properties_new", api.properties_new);
  find(library, "pw_properties_set", api.properties_set);
  find(library, "pw_proxy_add_listener", api.proxy_add_listener);
  find(library, "pw_proxy_destroy", api.proxy_destroy);
  find(library, "pw_filter_new", api.filter_new);
  find(library, "pw_filter_add_listener", api.filter_add_listener);
  find(library, "pw_filter_connect", api.filter_connect);
  find(library, "pw_filter_destroy", api.filter_destroy);
  find(library, "pw_filter_add_port", api.filter_add_port);
  find(library, "pw_filter_get_node_id", api.filter_get_node_id);
  find(library, "pw_filter_dequeue_buffer", api.filter_dequeue_buffer);
  find(library, "pw_filter_queue_buffer", api.filter_queue_buffer);
  find(library, "pw_stream_new", api.stream_new);
  find(library, "pw_stream_add_listener", api.stream_add_listener);
  find(library, "pw_stream_connect", api.stream_connect);
  find(library, "pw_stream_destroy", api.stream_destroy);
  find(library, "pw_stream_get_node_id", api.stream_get_node_id);
  find(library, "pw_stream_dequeue_buffer", api.stream_dequeue_buffer);
  find(library, "pw_stream_queue_buffer", api.stream_queue_buffer);
  api.init(nullptr, nullptr);
  return api;
}

}  // namespace

const PipewireApi& PipewireApi::load() {
  static const PipewireApi api = load_library();
  return api;
}

int PipewireApi::version_number() const {
  int major = 0;
  int minor = 0;
  int micro = 0;
  // libpipewire's own scanf pattern for a version; a suffix like "-rc1" is left over.
  if (std::sscanf(get_library_version(), "%d.%d.%d", &major, &minor, &micro) != 3) return 0;
  return major * 1'000'000 + minor * 1000 + micro;
}

}  // namespace pypac
