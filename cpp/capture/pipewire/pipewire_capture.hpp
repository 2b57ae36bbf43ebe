// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "capture/capture_backend.hpp"
#include "capture/capture_views.hpp"
#include "capture/selector.hpp"
#include "core/time.hpp"
#include "plugin/source.hpp"
#include "timeline/clock_domain.hpp"

namespace pypac {

struct PipewireOptions {
  std::string remote;  // name or path of the daemon's socket; empty: as PipeWire does
  std::uint32_t timeline_rate = 48000;    // of the session
  std::uint32_t capacity_frames = 48000;  // of each source's ring
  bool meter_streams = false;             // measure the peak of every stream, for streams()
};

/// The audio graph, for `doctor` and the live view.
struct PipewireServer {
  bool connected = false;
  std::string library_version;
  std::string server_version;
  std::string default_sink;
  std::string default_source;
  // Of the device that was heard from last, if several drive what is captured.
  std::string driver;         // the node whose clock drives the graph
  std::uint32_t quantum = 0;  // frames in a cycle; 0: no cycle yet
  std::uint32_t rate = 0;
  std::uint64_t cycles = 0;       // callbacks seen
  std::uint64_t lost_cycles = 0;  // of those the graph counted and we did not see
  std::uint64_t reconnects = 0;
  bool realtime = false;  // of the capture thread
  int realtime_priority = 0;
  std::string realtime_refusal;              // why not; empty while realtime
  std::vector<std::string> frozen_programs;  // that hold the graph up now
};

struct PipewireAvailability {
  bool loadable = false;
  std::string version;
  std::string reason;  // why not
};

/// Captures programs and inputs from PipeWire, each apart, all on one timeline.
///
/// One node for each source and device that it plays to, so that no device is made to follow
/// another one's clock; a mono port for each captured channel, linked explicitly to the programs'
/// own ports: the user's links, volumes and default devices are left alone. Everything below is
/// [control-thread]; the capture thread is PipeWire's.
///
///     PipewireCapture capture({});
///     auto game = capture.add_source("game", {.patterns = {"cs2.exe"}});
///     game->start(clock.now());
///     // a pump calls game->read()
class PipewireCapture final : public CaptureBackend {
 public:
  /// Can the library be loaded here? Says nothing of a daemon.
  [[nodiscard]] static PipewireAvailability probe();

  /// Connects. Throws Failure(backend_unavailable, permission_denied, unsupported).
  explicit PipewireCapture(PipewireOptions options);
  ~PipewireCapture() override;

  /// start() of any source fixes frame 0 for all.
  [[nodiscard]] std::shared_ptr<Source> add_source(std::string name, Selector selector,
                                                   std::uint32_t channels = 2) override;
  void remove_source(const std::string& name) override;
  [[nodiscard]] bool wait_until_running(std::chrono::milliseconds timeout) override;
  [[nodiscard]] std::vector<StreamView> streams() override;
  [[nodiscard]] SourceStatus source_status(const std::string& name) override;
  [[nodiscard]] std::vector<SourceStatus> preview(const std::vector<Selector>& selectors) override;
  void stop() noexcept override;

  [[nodiscard]] PipewireServer server_info();

 private:
  class Watcher;
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace pypac
