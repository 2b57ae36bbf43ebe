// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "capture/mixed_source.hpp"
#include "capture/wasapi/loopback_packets.hpp"
#include "core/time.hpp"

namespace pypac {

class PacketLog;

/// What one capture client captures.
struct CaptureTarget {
  enum class Kind : std::uint8_t {
    tree,          // a process and all that it starts
    all_but_tree,  // everything that plays but that
    endpoint,      // a microphone or another input
  };

  Kind kind = Kind::tree;
  std::int64_t pid = 0;          // of trees
  std::uint64_t start_time = 0;  // of that process; 0: of whoever has the PID
  std::wstring endpoint_id{};    // of endpoints
  // Of an endpoint, which of its inputs are left and right, from 1; both are the same for one that
  // is heard on both sides. 0: all of them, each where its position is.
  std::uint32_t left = 0;
  std::uint32_t right = 0;

  auto operator<=>(const CaptureTarget&) const = default;
};

/// One capture of Windows' audio engine, on a thread of its own.
///
/// The thread lives in the multithreaded apartment and owns every COM object from open to release.
/// Whatever fails, it cleans up and tries again after 0.2, 0.5, 1 s, then every 2 s, also where it
/// opens and breaks off at once; which failure it was, failure() tells. Packets go to every
/// attached tap.
///
/// PIDs are used again, and what the target was taken from may be old: each attempt first makes
/// sure that the PID is still that process's, and keeps it so while it captures. Only of a process
/// that may not be opened it does not know.
class CaptureClient {
 public:
  static constexpr std::size_t kMaxTaps = 64;
  static constexpr std::uint32_t kRate = 48000;
  /// A capture that has not ended by then is let go: Windows' audio service hangs.
  static constexpr HostTime kStopTime = std::chrono::milliseconds(150);

  enum class State : std::uint8_t {
    opening,  // it has not been open yet
    running,  // open: packets are taken as they come
    failed,   // the last attempt failed; it tries again
    ended,    // stopped
  };
  /// At which step the last attempt failed.
  enum class Step : std::uint8_t {
    none,
    apartment,
    identity,  // the PID is no longer that process's
    activate,
    activation_time,  // it did not complete
    inputs,           // the device has fewer than are asked for
    initialize,
    event,
    service,
    start,
    read,
    count_
  };

  /// [control-thread] Starts the thread. With a `log` each packet is also written down there.
  explicit CaptureClient(CaptureTarget target, std::shared_ptr<PacketLog> log = {});
  ~CaptureClient();
  CaptureClient(const CaptureClient&) = delete;
  CaptureClient& operator=(const CaptureClient&) = delete;

  [[nodiscard]] const CaptureTarget& target() const noexcept;

  /// [control-thread] From now on the tap is given the packets. False: there are kMaxTaps.
  bool attach(std::shared_ptr<Tap> tap);
  /// [control-thread] The tap is given none once this has returned.
  void detach(const Tap& tap) noexcept;

  /// [any-thread] The capture is to end; stop() waits for it.
  void ask_to_stop() noexcept;

  /// [control-thread] Ends the capture: no tap is given anything once this has returned, at most
  /// 200 ms later. A thread that Windows holds up by then is let go: it ends by itself and owns
  /// what it still uses. Final.
  void stop() noexcept;
  /// [control-thread] The same, waiting no longer than until then: for many that are stopped at
  /// once.
  void stop_by(HostTime deadline) noexcept;

  /// [any-thread] Is it open, and if not, why not.
  [[nodiscard]] State state() const noexcept;
  /// [any-thread] The last failure in words: the step, the HRESULT, the build of Windows. Empty:
  /// there was none.
  [[nodiscard]] std::string failure() const;
  /// [any-thread] What the user can do about it, in sentences. Empty: not known.
  [[nodiscard]] std::string remedy() const;
  /// [any-thread] Its HRESULT; 0: there was none.
  [[nodiscard]] long failure_code() const noexcept;
  /// [any-thread] Attempts that failed since it was last open for a second, which counts as mended.
  [[nodiscard]] std::uint32_t failures() const noexcept;
  /// [any-thread] How often it was opened.
  [[nodiscard]] std::uint32_t opened() const noexcept;
  /// [any-thread] The thread runs with MMCSS's real-time priority.
  [[nodiscard]] bool realtime() const noexcept;
  /// [any-thread]
  [[nodiscard]] const LoopbackPackets& packets() const noexcept;

 private:
  struct Shared;  // of the thread and this object: whoever ends last frees it

  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace pypac
