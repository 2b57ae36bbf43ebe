// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "capture/channel_weights.hpp"
#include "capture/pipewire/call_order.hpp"
#include "pipewire/pipewire_api.hpp"
#include "plugin/source_feed.hpp"
#include "timeline/clock_domain.hpp"

namespace pypac {

inline constexpr std::size_t kMaxSources = 256;
inline constexpr std::size_t kMaxPortsOfSource = 32;
inline constexpr std::size_t kMaxMeterPorts = 256;

/// One mono input port of our node that feeds a source. Several programs may be linked to it; the
/// audio system adds them up.
struct SourcePort {
  std::atomic<void*> handle{nullptr};  // the control thread sets it; nullptr: not there
  ChannelWeights weights{};            // fixed before the port is counted
  std::string name;                    // control thread only
};

/// What the capture thread knows of one source.
struct SourceSlot {
  SourceSlot(std::string source_name, std::uint32_t channels, std::uint32_t capacity_frames,
             std::shared_ptr<ClockDomain> domain)
      : name(std::move(source_name)), feed(channels, capacity_frames, std::move(domain)) {}

  const std::string name;
  SourceFeed feed;
  std::array<SourcePort, kMaxPortsOfSource> ports;
  std::atomic<std::uint32_t> port_count{0};    // control thread
  std::atomic<bool> pushing{false};            // control thread: between start() and stop()
  std::atomic<bool> busy{false};               // capture thread: a packet is being written
  std::atomic<std::uint64_t> packets{0};       // capture thread
  std::atomic<std::int64_t> last_cycle_ns{0};  // capture thread: its node was called
  std::atomic<std::int64_t> last_delivery_ns{
      0};                // capture thread: host time of the last frames, pushed or not
  CallOrder call_order;  // capture thread

  /// [control-thread] No packet is pushed once this has returned.
  void stop_pushing() noexcept;
};

/// One mono input port of our node that measures a program's channel.
struct MeterPort {
  std::atomic<void*> handle{nullptr};  // control thread
  std::atomic<float> peak{0};          // capture thread raises it, the control thread takes it
  std::atomic<bool> heard{false};      // capture thread: frames came since it was taken
};

/// The capture thread's half of PipewireCapture: stamps each graph cycle once, and copies what the
/// ports bring into the feeds.
class CaptureSlots {
 public:
  CaptureSlots(const PipewireApi& api, std::shared_ptr<ClockDomain> domain);

  /// [control-thread] The new slot's index.
  std::size_t add(std::shared_ptr<SourceSlot> slot);
  [[nodiscard]] std::size_t count() const noexcept {
    return count_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] SourceSlot& slot(std::size_t index) const noexcept { return *slots_[index]; }

  /// [control-thread] The next `meter_ports` of meters() are measured.
  void set_meter_count(std::size_t meter_ports) noexcept {
    meter_count_.store(meter_ports, std::memory_order_release);
  }
  [[nodiscard]] MeterPort& meter(std::size_t index) noexcept { return meters_[index]; }

  /// [control-thread & our node is gone] Forgets all ports' handles; they are made again.
  void forget_ports() noexcept;

  /// [control-thread] From now on the same clock id means another clock.
  void renew_clock_ids() noexcept { generation_.fetch_add(1, std::memory_order_relaxed); }

  /// [capture-thread] One graph cycle of the node that feeds `slot`; nullptr: of the one that
  /// measures. All nodes are called on one thread.
  void process(const spa_io_position& position, SourceSlot* slot) noexcept;

  // All below: capture thread writes, any thread reads.
  [[nodiscard]] std::int64_t last_cycle_ns() const noexcept {
    return last_cycle_ns_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint64_t cycles() const noexcept {
    return cycles_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t lost_cycles() const noexcept {
    return lost_cycles_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t quantum() const noexcept {
    return quantum_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t rate() const noexcept {
    return rate_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t clock_id() const noexcept {
    return clock_id_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::int64_t thread_id() const noexcept {
    return thread_id_.load(std::memory_order_relaxed);
  }

 private:
  /// The stamp of a cycle, made once for all nodes. nullptr: there is no timeline yet.
  [[nodiscard]] const Stamp* stamp_cycle(const spa_io_clock& clock) noexcept;
  /// A port's frames of this cycle; nullptr: nothing is linked, or it gave nothing.
  [[nodiscard]] const float* take_frames(void* handle, std::uint32_t frames) noexcept;
  void push(SourceSlot& slot, const Stamp* stamp, const spa_io_clock& live_clock,
            std::int64_t now_ns) noexcept;
  void measure(std::uint32_t frames) noexcept;

  const PipewireApi& api_;
  std::shared_ptr<ClockDomain> domain_;
  std::array<std::shared_ptr<SourceSlot>, kMaxSources> slots_;  // written before it is counted
  std::atomic<std::size_t> count_{0};
  std::array<MeterPort, kMaxMeterPorts> meters_;
  std::atomic<std::size_t> meter_count_{0};
  std::atomic<std::uint32_t> generation_{0};

  std::atomic<std::int64_t> last_cycle_ns_{0};
  std::atomic<std::uint64_t> cycles_{0};
  std::atomic<std::uint64_t> lost_cycles_{0};
  std::atomic<std::uint32_t> quantum_{0};
  std::atomic<std::uint32_t> rate_{0};
  std::atomic<std::uint32_t> clock_id_{0};
  std::atomic<std::int64_t> thread_id_{0};

  // The capture thread's.
  ClockReading newest_{};  // of the newest cycle; no frames: there was none
  Stamp stamp_{};
  bool stamped_ = false;
};

}  // namespace pypac
