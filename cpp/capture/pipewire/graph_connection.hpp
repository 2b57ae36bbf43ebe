// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "core/time.hpp"
#include "pipewire/pipewire_api.hpp"
#include "pipewire/pipewire_connection.hpp"

namespace pypac {

/// Keeps a connection to PipeWire up, on a loop's thread of its own: makes it again when it is
/// lost.
class GraphConnection {
 public:
  /// Whose connection it is. All of it is called on the loop's thread, or under its lock.
  class Owner {
   public:
    virtual ~Owner() = default;
    /// There is a core: what is wanted of it is asked for now.
    virtual void connected(pw_core* core) = 0;
    /// All of the core's objects are to go now.
    virtual void disconnecting() = 0;
    /// A connection that worked is gone, and is tried again.
    virtual void lost() = 0;
    /// Nothing is called after this but disconnecting().
    virtual void stopping() = 0;
    /// After mark_changed(), once for many, and only while synced().
    virtual void evaluate() = 0;
    /// Every 50 ms.
    virtual void tick() = 0;
  };

  /// start() connects. The owner outlives it.
  GraphConnection(const PipewireApi& api, std::string remote, Owner& owner);
  ~GraphConnection() { stop(); }
  GraphConnection(const GraphConnection&) = delete;
  GraphConnection& operator=(const GraphConnection&) = delete;

  /// [control-thread] Waits until the graph is known. Throws Failure(backend_unavailable,
  /// permission_denied, unsupported).
  void start();
  /// [control-thread] Nothing is called once this has returned. Final.
  void stop() noexcept;

  /// [control-thread] Holds the loop's lock, and keeps stop() out. Throws Failure(not_running)
  /// where that has been.
  class Access {
   public:
    explicit Access(GraphConnection& connection)
        : alive_(connection.lifetime_), lock_(connection.api_, connection.checked_loop()) {}

   private:
    std::lock_guard<std::mutex> alive_;
    PipewireLoopLock lock_;
  };

  // All below: on the loop's thread, or under its lock.

  /// evaluate() is to come.
  void mark_changed();
  [[nodiscard]] bool changed() const { return changed_; }
  [[nodiscard]] pw_core* core() const { return core_; }  // nullptr: none now
  [[nodiscard]] bool answered() const { return answered_; }
  /// The registry's first globals and their properties have come.
  [[nodiscard]] bool synced() const { return synced_; }
  [[nodiscard]] std::uint64_t reconnects() const { return reconnects_; }
  [[nodiscard]] const std::string& server_version() const { return server_version_; }

 private:
  struct Callbacks;

  [[nodiscard]] pw_thread_loop* checked_loop() const;
  void open();
  void close();
  void lose();
  void try_again();
  void wait_until_synced() const;
  void arm(spa_source* timer, HostTime first, HostTime every = {});

  std::mutex lifetime_;  // the control threads'; never taken on the loop's thread
  const PipewireApi& api_;
  const std::string remote_;
  Owner& owner_;
  pw_thread_loop* loop_ = nullptr;
  pw_context* context_ = nullptr;
  pw_core* core_ = nullptr;
  spa_hook core_listener_{};
  spa_source* changed_event_ = nullptr;
  spa_source* lost_event_ = nullptr;
  spa_source* tick_timer_ = nullptr;
  spa_source* reconnect_timer_ = nullptr;

  bool answered_ = false;
  bool synced_ = false;
  int sync_round_ = 0;
  int sync_sequence_ = 0;
  bool changed_ = false;
  bool stopped_ = false;
  int connect_error_ = 0;
  std::uint64_t reconnects_ = 0;
  HostTime reconnect_delay_;
  std::string server_version_;
};

}  // namespace pypac
