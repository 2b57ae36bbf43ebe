// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "capture/capture_backend.hpp"
#include "capture/capture_views.hpp"
#include "capture/selector.hpp"
#include "plugin/source.hpp"

namespace pypac {

struct WasapiOptions {
  std::uint32_t timeline_rate = 48000;    // of the session
  std::uint32_t capacity_frames = 48000;  // of each tap's ring
  bool meter_streams = false;             // look at meters often, for streams()
  /// How often it looks at processes and sessions that Windows tells nothing of.
  std::chrono::milliseconds look_every{250};
  /// What it lets go of is waited for so long, all of it together.
  std::chrono::milliseconds stop_time{150};
};

/// The audio engine, for `doctor` and the live view.
struct WasapiServer {
  bool connected = false;      // the audio service answers; false until it has for the first time
  std::string failure;         // why not: with the HRESULT, if one came, and the build of Windows
  std::uint32_t build = 0;     // of Windows
  std::string default_sink;    // friendly name of the default output
  std::string default_source;  // of the default input
  std::uint32_t quantum = 0;   // frames in a packet, as seen last; 0: none came
  std::uint32_t rate = 0;      // 0 as long as none came
  std::uint64_t clients = 0;   // captures that are open
  std::uint64_t disbelieved = 0;  // packets whose stamps were not believed
  bool own_clock = false;         // stamps of a capture are lastingly wrong
  bool realtime = false;          // of the capture threads
  std::string realtime_refusal;
};

struct WasapiAvailability {
  bool loadable = false;
  std::string version;  // of Windows: "10.0.19045"
  std::string reason;   // why not
};

/// Captures programs and inputs from Windows' audio engine, each apart, all on QPC.
///
/// Programs are captured by whole process trees (process loopback), each by a client with a thread
/// of its own. Where a tree holds what its source must not have, such as an excluded program, a
/// program of another source, or this process, only those of its parts are captured that hold
/// nothing else; the status says so. Everything below is [control-thread].
///
///     WasapiCapture capture({});
///     auto game = capture.add_source("game", {.patterns = {"cs2.exe"}});
///     game->start(clock.now());
///     // a pump calls game->read()
class WasapiCapture final : public CaptureBackend {
 public:
  /// Is this a Windows that can capture single programs?
  [[nodiscard]] static WasapiAvailability probe();

  /// Throws Failure(unsupported, backend_unavailable).
  explicit WasapiCapture(WasapiOptions options);
  ~WasapiCapture() override;

  [[nodiscard]] std::shared_ptr<Source> add_source(std::string name, Selector selector,
                                                   std::uint32_t channels = 2) override;
  void remove_source(const std::string& name) override;
  [[nodiscard]] bool wait_until_running(std::chrono::milliseconds timeout) override;
  [[nodiscard]] std::vector<StreamView> streams() override;
  [[nodiscard]] SourceStatus source_status(const std::string& name) override;
  [[nodiscard]] std::vector<SourceStatus> preview(const std::vector<Selector>& selectors) override;
  void stop() noexcept override;

  [[nodiscard]] WasapiServer server_info();

 private:
  class Watcher;
  std::shared_ptr<Watcher> watcher_;
};

}  // namespace pypac
