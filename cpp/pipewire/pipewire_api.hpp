// SPDX-License-Identifier: MIT
#pragma once

#include <pipewire/filter.h>
#include <pipewire/pipewire.h>
#include <pipewire/stream.h>

#include <string>

namespace pypac {

/// What is called of libpipewire-0.3.so.0. It is loaded at run time, so that the package imports
/// where there is none; everything else that the sources call is inline in the headers.
struct PipewireApi {
  decltype(&::pw_init) init = nullptr;
  decltype(&::pw_get_library_version) get_library_version = nullptr;
  decltype(&::pw_thread_loop_new) thread_loop_new = nullptr;
  decltype(&::pw_thread_loop_destroy) thread_loop_destroy = nullptr;
  decltype(&::pw_thread_loop_get_loop) thread_loop_get_loop = nullptr;
  decltype(&::pw_thread_loop_start) thread_loop_start = nullptr;
  decltype(&::pw_thread_loop_stop) thread_loop_stop = nullptr;
  decltype(&::pw_thread_loop_lock) thread_loop_lock = nullptr;
  decltype(&::pw_thread_loop_unlock) thread_loop_unlock = nullptr;
  decltype(&::pw_context_new) context_new = nullptr;
  decltype(&::pw_context_destroy) context_destroy = nullptr;
  decltype(&::pw_context_connect) context_connect = nullptr;
  decltype(&::pw_context_connect_fd) context_connect_fd = nullptr;
  decltype(&::pw_core_disconnect) core_disconnect = nullptr;
  decltype(&::pw_properties_new) properties_new = nullptr;
  decltype(&::pw_properties_set) properties_set = nullptr;
  decltype(&::pw_proxy_add_listener) proxy_add_listener = nullptr;
  decltype(&::pw_proxy_destroy) proxy_destroy = nullptr;
  decltype(&::pw_filter_new) filter_new = nullptr;
  decltype(&::pw_filter_add_listener) filter_add_listener = nullptr;
  decltype(&::pw_filter_connect) filter_connect = nullptr;
  decltype(&::pw_filter_destroy) filter_destroy = nullptr;
  decltype(&::pw_filter_add_port) filter_add_port = nullptr;
  decltype(&::pw_filter_get_node_id) filter_get_node_id = nullptr;
  decltype(&::pw_filter_dequeue_buffer) filter_dequeue_buffer = nullptr;
  decltype(&::pw_filter_queue_buffer) filter_queue_buffer = nullptr;
  decltype(&::pw_stream_new) stream_new = nullptr;
  decltype(&::pw_stream_add_listener) stream_add_listener = nullptr;
  decltype(&::pw_stream_connect) stream_connect = nullptr;
  decltype(&::pw_stream_destroy) stream_destroy = nullptr;
  decltype(&::pw_stream_get_node_id) stream_get_node_id = nullptr;
  decltype(&::pw_stream_dequeue_buffer) stream_dequeue_buffer = nullptr;
  decltype(&::pw_stream_queue_buffer) stream_queue_buffer = nullptr;

  /// [any-thread] Loads the library once for the process. Throws Failure(backend_unavailable).
  [[nodiscard]] static const PipewireApi& load();

  /// The library's version as a number to compare: 0.3.65 is 3065, 1.4.2 is 1004002.
  [[nodiscard]] int version_number() const;
};

}  // namespace pypac
