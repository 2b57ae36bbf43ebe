// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "core/time.hpp"
#include "timeline/packet.hpp"

namespace pypac {

/// One packet as Windows hands it over.
struct LoopbackPacket {
  const float* interleaved = nullptr;  // undefined memory where `silent`
  std::uint32_t frames = 0;
  std::uint64_t qpc_100ns = 0;   // when its first frame was heard, in units of 100 ns of QPC
  HostTime received{};           // QPC when it was handed over
  bool silent = false;           // AUDCLNT_BUFFERFLAGS_SILENT
  bool discontinuity = false;    // AUDCLNT_BUFFERFLAGS_DATA_DISCONTINUITY
  bool timestamp_error = false;  // AUDCLNT_BUFFERFLAGS_TIMESTAMP_ERROR
};

/// What one client's packets say: makes a clock reading of each, and counts what is odd about them.
///
/// Process loopback counts no positions, so a packet's place is known from its QPC stamp alone.
/// One that is more than half a second from when it was handed over is not believed, unless it goes
/// on from the ones before and is handed over late, as on a machine that is too busy: the clock
/// goes on without it. Where that lasts (a bug of the system's, seen at +600 ms and at 8 h), host
/// time comes from when packets are handed over (own clock) until stamps are right again: no frame
/// is lost, but the sound may be off by the time that packets are underway.
///
/// Example, 480 frames at 48 kHz, handed over at 2 s with a stamp of 1.99 s: a reading at 1.99 s.
/// With a stamp of 2.6 s: one whose host time is invalid; after 20 of those: 1.99 s, own clock.
class LoopbackPackets {
 public:
  explicit LoopbackPackets(std::uint32_t rate) : rate_(rate) {}

  /// [capture-thread] The next packet is the first of another client, which is started now, and so
  /// of another clock: no two of this process have the same number. The first begin() is that of a
  /// program or input that was not there before; later ones open the same anew.
  void begin(HostTime now) noexcept;

  struct Taken {
    ClockReading reading;
    const float* interleaved = nullptr;  // nullptr: silence
  };
  /// [capture-thread] The packets of a client, in order. Valid as long as the packet's memory.
  [[nodiscard]] Taken take(const LoopbackPacket& packet) noexcept;

  // All below: [any-thread, realtime-safe] since this object began.
  [[nodiscard]] std::uint64_t packets() const noexcept { return load(packets_); }
  [[nodiscard]] std::uint64_t frames() const noexcept { return load(frames_); }
  /// Frames that Windows called silent.
  [[nodiscard]] std::uint64_t silent_frames() const noexcept { return load(silent_frames_); }
  /// Frames of packets that were all zeros without being called silent: lost periods can look so.
  [[nodiscard]] std::uint64_t zero_frames() const noexcept { return load(zero_frames_); }
  /// Frames of the run of silent and zero packets that goes on now; 0: there is sound.
  [[nodiscard]] std::uint64_t silent_run() const noexcept { return load(silent_run_); }
  [[nodiscard]] std::uint64_t timestamp_errors() const noexcept { return load(errors_); }
  [[nodiscard]] std::uint64_t discontinuities() const noexcept { return load(discontinuities_); }
  /// Packets whose stamp was not believed.
  [[nodiscard]] std::uint64_t disbelieved() const noexcept { return load(disbelieved_); }
  /// Frames of the newest packet; 0: there was none.
  [[nodiscard]] std::uint32_t last_frames() const noexcept {
    return last_frames_.load(std::memory_order_relaxed);
  }
  /// Stamps are lastingly wrong: host time is taken from when packets are handed over.
  [[nodiscard]] bool own_clock() const noexcept {
    return own_clock_.load(std::memory_order_relaxed);
  }
  /// When the last packet was handed over; 0: none came since begin().
  [[nodiscard]] HostTime last_received() const noexcept {
    return HostTime(last_received_ns_.load(std::memory_order_relaxed));
  }

 private:
  using Count = std::atomic<std::uint64_t>;

  [[nodiscard]] static std::uint64_t load(const Count& count) noexcept {
    return count.load(std::memory_order_relaxed);
  }
  static void add(Count& count, std::uint64_t value) noexcept {
    count.fetch_add(value, std::memory_order_relaxed);
  }
  void judge(bool plausible) noexcept;

  const std::uint32_t rate_;
  Count packets_{0};
  Count frames_{0};
  Count silent_frames_{0};
  Count zero_frames_{0};
  Count silent_run_{0};
  Count errors_{0};
  Count discontinuities_{0};
  Count disbelieved_{0};
  std::atomic<std::uint32_t> last_frames_{0};
  std::atomic<bool> own_clock_{false};
  std::atomic<std::int64_t> last_received_ns_{0};

  // The capture thread's.
  std::uint64_t clock_id_ = 0;
  Cause new_clock_ = Cause::clock_changed;
  bool first_ = true;
  HostTime expected_{};        // of the next packet's stamp, if nothing is missing
  std::uint32_t dissent_ = 0;  // stamps in a row that are not what own_clock_ says of them
};

}  // namespace pypac
