// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/spsc_ring.hpp"
#include "timeline/clock_domain.hpp"
#include "timeline/packet.hpp"

namespace pypac {

/// The one door from a capture thread into the engine: a bounded queue of stamped packets.
///
/// The capture thread writes planar frames in place, so that a frame is copied once:
///
///     if (float* room = feed.begin_packet(1024)) {  // channel c at room + c * 1024
///       ...
///       feed.commit_packet(stamp);
///     }
class SourceFeed {
 public:
  /// [control-thread] `domain` is the clock that stamps this feed's packets.
  SourceFeed(std::uint32_t channels, std::uint32_t capacity_frames,
             std::shared_ptr<ClockDomain> domain);

  [[nodiscard]] std::uint32_t channels() const noexcept { return channels_; }
  [[nodiscard]] const ClockDomain& domain() const noexcept { return *domain_; }

  /// [capture-thread] Room for `frames` planar frames, or nullptr where the ring is full: then the
  /// packet counts as lost, and the next one says so. Valid until commit_packet().
  [[nodiscard]] float* begin_packet(std::uint32_t frames) noexcept;

  /// [capture-thread] The source's clock has gone on by a packet, and the source gave none: the gap
  /// is its own, and the next packet says so.
  void skip_packet() noexcept {
    silent_ = true;
    skipping_.store(true, std::memory_order_relaxed);
  }

  /// [capture-thread] Hands the packet of the last begin_packet() to the pump.
  void commit_packet(const Stamp& stamp) noexcept;

  /// [pump] The packet `ahead` behind the oldest. False: it has not come.
  [[nodiscard]] bool peek(std::size_t ahead, PacketView& packet) const noexcept;

  /// [pump] Forgets the oldest packet.
  void pop() noexcept;

  /// [any-thread, realtime-safe] The newest packet was skipped: the source itself gives none.
  [[nodiscard]] bool skipping() const noexcept { return skipping_.load(std::memory_order_relaxed); }

  /// [control-thread] Why no packets come, if none come. The cause of the silence meanwhile.
  void set_absence(Cause cause) noexcept { absence_.store(cause, std::memory_order_relaxed); }
  /// [any-thread, realtime-safe] What set_absence() said; but `underrun` is `stalled` where the
  /// source's clock has not gone on: only then is it known that the source itself gives nothing.
  [[nodiscard]] Cause absence() const noexcept {
    const Cause cause = absence_.load(std::memory_order_relaxed);
    return cause == Cause::underrun && !skipping() ? Cause::stalled : cause;
  }

 private:
  struct Header {
    Stamp stamp;
    std::uint32_t frames;
    std::uint32_t lost_before;
    bool silent_before;
    std::uint64_t begin;  // in samples, counted from the ring's first; wraps by modulo
    std::uint64_t end;
  };

  std::uint32_t channels_;
  std::shared_ptr<ClockDomain> domain_;
  std::vector<float> samples_;
  SpscRing<Header> headers_;
  Header open_{};                           // capture thread only
  std::uint64_t written_ = 0;               // capture thread only
  std::uint64_t end_of_newest_ = 0;         // capture thread only
  std::uint64_t empty_until_ = 0;           // capture thread only: where it restarted when empty
  std::uint32_t lost_ = 0;                  // capture thread only
  bool silent_ = false;                     // capture thread only
  std::atomic<std::uint64_t> released_{0};  // pump writes
  std::atomic<bool> skipping_{false};       // capture thread writes
  std::atomic<Cause> absence_{Cause::not_running};
};

}  // namespace pypac
