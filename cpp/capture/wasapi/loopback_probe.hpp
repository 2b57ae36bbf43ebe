// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "capture/wasapi/packet_log.hpp"

namespace pypac {

/// One capture of one process and what it starts, opened just as a session's, to see what Windows
/// does: unlike a session's, of any PID, be it dead or captured already. Everything below is
/// [control-thread].
class LoopbackProbe {
 public:
  /// Begins to open it. Throws Failure(unsupported, backend_unavailable).
  explicit LoopbackProbe(std::int64_t pid);
  ~LoopbackProbe();
  LoopbackProbe(const LoopbackProbe&) = delete;
  LoopbackProbe& operator=(const LoopbackProbe&) = delete;

  /// Waits until it has been opened or could not be. False: neither happened in time.
  [[nodiscard]] bool wait_until_tried(std::chrono::milliseconds timeout);

  /// It is open now.
  [[nodiscard]] bool is_open() const noexcept;
  /// How often it was opened: after a failure it tries again.
  [[nodiscard]] std::uint32_t opened() const noexcept;
  /// The last failure: its step, HRESULT and the build of Windows. Empty: there was none.
  [[nodiscard]] std::string failure() const;

  /// The packets since the last call, in order.
  [[nodiscard]] std::vector<PacketRecord> take();
  /// Packets that nobody took in time.
  [[nodiscard]] std::uint64_t lost() const noexcept;

  /// Ends the capture. Final.
  void stop() noexcept;

 private:
  class Capture;
  std::unique_ptr<Capture> capture_;
};

}  // namespace pypac
