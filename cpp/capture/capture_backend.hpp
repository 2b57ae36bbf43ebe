// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "capture/capture_views.hpp"
#include "capture/selector.hpp"
#include "plugin/source.hpp"

namespace pypac {

/// Captures programs and inputs from an audio system, each apart.
///
/// Sources have names, and come and go while it runs. Everything below is [control-thread]; all of
/// it but stop() throws Failure(not_running) once it has been stopped. Where there is no audio
/// system there is no backend: its constructor says why.
///
///     auto game = capture.add_source("game", {.patterns = {"cs2.exe"}});
///     game->start(clock.now());
///     // a pump calls game->read()
///     capture.remove_source("game");
class CaptureBackend {
 public:
  CaptureBackend() = default;
  virtual ~CaptureBackend() = default;
  CaptureBackend(const CaptureBackend&) = delete;
  CaptureBackend& operator=(const CaptureBackend&) = delete;

  /// The source stays valid when it is removed or the backend is gone, but gets no more frames.
  /// Throws Failure(invalid_argument) where there is one of that name, or a pattern or the number
  /// of channels (1..8) cannot be.
  [[nodiscard]] virtual std::shared_ptr<Source> add_source(std::string name, Selector selector,
                                                           std::uint32_t channels = 2) = 0;

  /// No packet is pushed to the source once this has returned, and no other source loses a frame.
  /// What it alone used of the audio system is let go. Throws Failure(invalid_argument) where there
  /// is none of that name.
  virtual void remove_source(const std::string& name) = 0;

  /// Waits until all that is there to be captured is, or could not be. False: not in time.
  [[nodiscard]] virtual bool wait_until_running(std::chrono::milliseconds timeout) = 0;

  /// Every stream and input, sorted by serial.
  [[nodiscard]] virtual std::vector<StreamView> streams() = 0;

  /// Throws Failure(invalid_argument) where there is no source of that name.
  [[nodiscard]] virtual SourceStatus source_status(const std::string& name) = 0;

  /// What each of these sources of one session would bind to now, without capturing it.
  [[nodiscard]] virtual std::vector<SourceStatus> preview(
      const std::vector<Selector>& selectors) = 0;

  /// No packet is pushed once this has returned. Final.
  virtual void stop() noexcept = 0;
};

}  // namespace pypac
