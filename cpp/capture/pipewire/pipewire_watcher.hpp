// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "capture/binding.hpp"
#include "capture/pipewire/capture_links.hpp"
#include "capture/pipewire/capture_node.hpp"
#include "capture/pipewire/capture_slots.hpp"
#include "capture/pipewire/frozen_programs.hpp"
#include "capture/pipewire/graph_clocks.hpp"
#include "capture/pipewire/graph_connection.hpp"
#include "capture/pipewire/graph_view.hpp"
#include "capture/pipewire/pipewire_capture.hpp"
#include "capture/pipewire/pipewire_source.hpp"
#include "capture/pipewire/source_lanes.hpp"
#include "capture/pipewire/stream_meters.hpp"
#include "capture/process_table.hpp"
#include "os/process_snapshot.hpp"

namespace pypac {

/// The control half of PipewireCapture: binds sources to what the graph has, and says how they are.
/// Everything on the loop's thread or under its lock.
class PipewireCapture::Watcher final : private GraphConnection::Owner {
 public:
  explicit Watcher(PipewireOptions options);
  ~Watcher() override { stop(); }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // As PipewireCapture has them.
  std::shared_ptr<Source> add_source(std::string name, Selector selector, std::uint32_t channels);
  void remove_source(const std::string& name);
  bool wait_until_running(std::chrono::milliseconds timeout);
  std::vector<StreamView> streams();
  SourceStatus source_status(const std::string& name);
  std::vector<SourceStatus> preview(const std::vector<Selector>& selectors);
  PipewireServer server_info();
  void stop() noexcept { connection_.stop(); }

 private:
  struct CapturedSource {
    std::string name;
    Selector selector;
    std::shared_ptr<PipewireSource> source;
    SourceLanes lanes;
    Binding binding{};
    HostTime bound_since{};
    HostTime playing_since{};  // 0: it does not play
    SourceState state = SourceState::not_running;
  };

  void connected(pw_core* core) override;
  void disconnecting() override;
  void lost() override;
  void stopping() override;
  void evaluate() override;
  void tick() override;
  void forget(const NodeRecord& node);

  void refresh_processes();
  [[nodiscard]] std::vector<StreamIdentity> identities() const;
  [[nodiscard]] bool any_node_stalled() const;
  void update_states();
  [[nodiscard]] StateFacts state_facts(const CapturedSource& source) const;
  [[nodiscard]] bool plays(const CapturedSource& source) const;
  [[nodiscard]] bool restarts(const CapturedSource& source) const;
  [[nodiscard]] bool settled() const;

  const PipewireOptions options_;
  const PipewireApi& api_;
  const std::shared_ptr<GraphClocks> clocks_;
  CaptureSlots slots_;
  GraphConnection connection_;
  const NodeContext nodes_;
  GraphView graph_;
  ProcessSnapshot snapshot_;
  ProcessTable processes_;
  PinnedProcesses pinned_;  // of all sources
  HostTime refreshed_at_{};
  bool processes_stale_ = false;  // a stream has gone, and its program perhaps with it
  HostTime restless_until_{};
  bool ports_pending_ = false;  // ports of ours are not in the registry yet
  FrozenPrograms frozen_;
  StreamMeters meters_;
  std::vector<CapturedSource> sources_;
  CaptureLinks links_;
};

}  // namespace pypac
