// SPDX-License-Identifier: MIT
#include "capture/pipewire/graph_connection.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <thread>
#include <utility>

#include "core/host_clock.hpp"
#include "core/status.hpp"

namespace pypac {
namespace {

using namespace std::chrono_literals;

constexpr HostTime kTick = 50ms;
constexpr HostTime kReconnectFirst = 100ms;
constexpr HostTime kReconnectLongest = 1s;
constexpr HostTime kAnswersWithin = 3s;

timespec timespec_of(HostTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return {seconds.count(), (time - seconds).count()};
}

}  // namespace

/// The C callbacks of PipeWire.
struct GraphConnection::Callbacks {
  static GraphConnection& self(void* data) { return *static_cast<GraphConnection*>(data); }

  static void info(void* data, const pw_core_info* info) {
    if (info->version) self(data).server_version_ = info->version;
  }

  static void done(void* data, std::uint32_t id, int sequence) {
    GraphConnection& own = self(data);
    if (id != PW_ID_CORE || sequence != own.sync_sequence_) return;
    own.answered_ = true;
    own.reconnect_delay_ = kReconnectFirst;
    // Round one brings the globals, round two the properties of those bound meanwhile.
    if (++own.sync_round_ < 2) {
      own.sync_sequence_ = pw_core_sync(own.core_, PW_ID_CORE, 0);
    } else {
      own.synced_ = true;
      own.mark_changed();
    }
  }

  static void error(void* data, std::uint32_t id, int, int result, const char*) {
    GraphConnection& own = self(data);
    if (id != PW_ID_CORE) return;
    own.connect_error_ = -result;
    if (result == -EPIPE || !own.answered_) {
      pw_loop_signal_event(own.api_.thread_loop_get_loop(own.loop_), own.lost_event_);
    }
  }

  static void on_changed(void* data, std::uint64_t) {
    GraphConnection& own = self(data);
    own.changed_ = false;
    if (!own.stopped_ && own.synced_) own.owner_.evaluate();
  }
  static void on_lost(void* data, std::uint64_t) { self(data).lose(); }
  static void on_tick(void* data, std::uint64_t) {
    if (!self(data).stopped_) self(data).owner_.tick();
  }
  static void on_reconnect(void* data, std::uint64_t) { self(data).try_again(); }

  static pw_core_events events() {
    pw_core_events events{};
    events.version = PW_VERSION_CORE_EVENTS;
    events.info = info;
    events.done = done;
    events.error = error;
    return events;
  }
};

GraphConnection::GraphConnection(const PipewireApi& api, std::string remote, Owner& owner)
    : api_(api), remote_(std::move(remote)), owner_(owner), reconnect_delay_(kReconnectFirst) {}

pw_thread_loop* GraphConnection::checked_loop() const {
  if (stopped_) throw Failure(ErrorKind::not_running, "the capture has been stopped");
  return loop_;
}

void GraphConnection::start() {
  loop_ = api_.thread_loop_new("pypac-pipewire", nullptr);
  if (!loop_) {
    throw pipewire_setup_failure(errno, "loop cannot be made");
  }
  pw_loop* const loop = api_.thread_loop_get_loop(loop_);
  try {
    context_ = new_pipewire_context(api_, loop);
    changed_event_ = pw_loop_add_event(loop, Callbacks::on_changed, this);
    lost_event_ = pw_loop_add_event(loop, Callbacks::on_lost, this);
    tick_timer_ = pw_loop_add_timer(loop, Callbacks::on_tick, this);
    reconnect_timer_ = pw_loop_add_timer(loop, Callbacks::on_reconnect, this);
    open();
    if (!core_) throw pipewire_connection_failure(connect_error_, remote_);
    if (const int error = api_.thread_loop_start(loop_); error < 0) {
      throw Failure(ErrorKind::backend_unavailable, "PipeWire's thread cannot be started", "",
                    -error);
    }
    wait_until_synced();
    const PipewireLoopLock lock(api_, loop_);
    arm(tick_timer_, kTick, kTick);
  } catch (...) {
    stop();
    throw;
  }
}

void GraphConnection::wait_until_synced() const {
  const HostTime deadline = SystemClock().now() + kAnswersWithin;
  for (;;) {
    {
      const PipewireLoopLock lock(api_, loop_);
      if (synced_) return;
      if (connect_error_ != 0) throw pipewire_connection_failure(connect_error_, remote_);
    }
    if (SystemClock().now() > deadline) {
      throw Failure(ErrorKind::backend_unavailable, "PipeWire does not answer",
                    "Restart it with: systemctl --user restart pipewire");
    }
    std::this_thread::sleep_for(1ms);
  }
}

void GraphConnection::stop() noexcept {
  const std::lock_guard<std::mutex> alive(lifetime_);
  if (stopped_ || !loop_) return;
  api_.thread_loop_lock(loop_);
  stopped_ = true;
  owner_.stopping();
  api_.thread_loop_unlock(loop_);
  api_.thread_loop_stop(loop_);
  close();
  pw_loop* const loop = api_.thread_loop_get_loop(loop_);
  for (spa_source* source : {changed_event_, lost_event_, tick_timer_, reconnect_timer_}) {
    if (source) pw_loop_destroy_source(loop, source);
  }
  if (context_) api_.context_destroy(std::exchange(context_, nullptr));
  api_.thread_loop_destroy(std::exchange(loop_, nullptr));
}

void GraphConnection::open() {
  connect_error_ = 0;
  core_ = connect_to_pipewire(api_, context_, remote_, connect_error_);
  if (!core_) return;
  static const pw_core_events events = Callbacks::events();
  pw_core_add_listener(core_, &core_listener_, &events, this);
  owner_.connected(core_);
  sync_round_ = 0;
  sync_sequence_ = pw_core_sync(core_, PW_ID_CORE, 0);
}

void GraphConnection::close() {
  owner_.disconnecting();
  if (core_) {
    spa_hook_remove(&core_listener_);
    api_.core_disconnect(std::exchange(core_, nullptr));
  }
  answered_ = false;
  synced_ = false;
}

void GraphConnection::lose() {
  if (stopped_ || !core_) return;
  const bool was_running = synced_;
  close();
  if (!was_running && reconnects_ == 0) return;  // start() reports it
  owner_.lost();
  arm(reconnect_timer_, reconnect_delay_);
}

void GraphConnection::try_again() {
  if (stopped_ || core_) return;
  open();
  if (core_) {
    ++reconnects_;
    return;
  }
  reconnect_delay_ = std::min(reconnect_delay_ * 2, kReconnectLongest);
  arm(reconnect_timer_, reconnect_delay_);
}

void GraphConnection::arm(spa_source* timer, HostTime first, HostTime every) {
  timespec value = timespec_of(first);
  timespec interval = timespec_of(every);
  [[maybe_unused]] const int result =
      pw_loop_update_timer(api_.thread_loop_get_loop(loop_), timer, &value, &interval, false);
  assert(result >= 0);  // it fails only for times that are none
}

void GraphConnection::mark_changed() {
  if (changed_ || stopped_ || !loop_) return;
  changed_ = true;
  // Not at once: events come in bursts, and most of them say half of what is needed.
  pw_loop_signal_event(api_.thread_loop_get_loop(loop_), changed_event_);
}

}  // namespace pypac
