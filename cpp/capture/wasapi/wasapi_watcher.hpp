// SPDX-License-Identifier: MIT
#pragma once

#include <windows.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "capture/binding.hpp"
#include "capture/mixed_source.hpp"
#include "capture/wasapi/audio_sessions.hpp"
#include "capture/wasapi/capture_clients.hpp"
#include "capture/wasapi/tree_bindings.hpp"
#include "capture/wasapi/wasapi_capture.hpp"
#include "capture/wasapi/watched_processes.hpp"
#include "os/process_snapshot.hpp"
#include "os/windows/handle.hpp"

namespace pypac {

/// The control half of WasapiCapture: a thread that watches processes and sessions, binds sources
/// to them and has clients for what is bound. What other threads ask for is answered from what it
/// saw last.
class WasapiCapture::Watcher : public std::enable_shared_from_this<Watcher> {
 public:
  explicit Watcher(WasapiOptions options);
  ~Watcher() = default;  // after stop()
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  void start();

  // As WasapiCapture has them.
  std::shared_ptr<Source> add_source(std::string name, Selector selector, std::uint32_t channels);
  void remove_source(const std::string& name);
  bool wait_until_running(std::chrono::milliseconds timeout);
  std::vector<StreamView> streams();
  SourceStatus source_status(const std::string& name);
  std::vector<SourceStatus> preview(const std::vector<Selector>& selectors);
  WasapiServer server_info();
  void stop() noexcept;

 private:
  struct CapturedSource {
    std::string name;
    Selector selector;
    std::shared_ptr<MixedSource> source;
    Bound bound{};
    HostTime bound_since{};
    SourceState state = SourceState::not_running;
    SourceTaps taps{};
  };

  // The worker's thread.
  void run() noexcept;
  void watch() noexcept;
  void look(AudioSessions& sessions, bool told);
  void stop_retired();
  [[nodiscard]] std::vector<HANDLE> handles_to_wait_for() const;

  // Under the lock.
  void refresh_processes();
  void evaluate();
  void watch_roots();
  void update_states();
  [[nodiscard]] StateFacts state_facts(const CapturedSource& source) const;
  [[nodiscard]] ReasonFacts reason_facts(const CapturedSource& source) const;
  [[nodiscard]] std::string shielded_text(const Bound& bound) const;
  /// No answer of the audio service comes.
  [[nodiscard]] bool hangs() const;
  [[nodiscard]] bool service_lost() const { return service_lost_ || hangs(); }
  [[nodiscard]] std::string service_failure() const;
  [[nodiscard]] bool settled() const { return looked_ && !clients_.any_opening(); }
  void check_alive() const;

  const WasapiOptions options_;
  const Handle stop_event_{CreateEventW(nullptr, TRUE, FALSE, nullptr)};
  const Handle changed_event_{CreateEventW(nullptr, FALSE, FALSE, nullptr)};
  const Handle ended_event_{CreateEventW(nullptr, TRUE, FALSE, nullptr)};
  std::thread worker_;
  std::vector<std::shared_ptr<CaptureClient>> retired_;  // the worker's: to be stopped unlocked

  mutable std::mutex mutex_;  // of all below
  bool stopped_ = false;
  bool looked_ = false;       // the worker has looked once since the newest source
  bool looked_once_ = false;  // at all
  HostTime asked_at_{};  // when the audio service was asked what it has not answered; 0: it has
  bool service_lost_ = false;  // its last answer was an error
  long service_error_ = 0;
  ProcessSnapshot snapshot_;
  PinnedProcesses pinned_;
  HostTime processes_at_{};
  HostTime sessions_at_{};
  AudioSeen seen_;
  std::vector<CapturedSource> sources_;
  CaptureClients clients_;
  WatchedProcesses watched_;              // roots
  std::map<std::uint64_t, float> peaks_;  // by session, since streams()
  std::string default_output_;
  std::string default_input_;
};

}  // namespace pypac
