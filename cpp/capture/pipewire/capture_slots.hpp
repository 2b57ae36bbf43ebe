// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "capture/channel_weights.hpp"
#include "capture/mixed_source.hpp"
#include "capture/pipewire/call_order.hpp"
#include "capture/pipewire/graph_clocks.hpp"
#include "pipewire/pipewire_api.hpp"

namespace pypac {

inline constexpr std::size_t kMaxPortsOfSource = 32;
inline constexpr std::size_t kMaxMeterPorts = 256;

/// One mono input port of our node that feeds a source. Several programs may be linked to it; the
/// audio system adds them up.
struct SourcePort {
  std::atomic<void*> handle{nullptr};  // the control thread sets it; nullptr: not there
  ChannelWeights weights{};            // fixed before the port is counted
  std::string name;                    // control thread only
};

/// What the capture thread knows of one of our nodes that feeds a source.
struct SourceSlot {
  explicit SourceSlot(std::shared_ptr<Tap> source_tap) : tap(std::move(source_tap)) {}

  const std::shared_ptr<Tap> tap;
  std::array<SourcePort, kMaxPortsOfSource> ports;
  std::atomic<std::uint32_t> port_count{0};    // control thread
  std::atomic<std::int64_t> last_cycle_ns{0};  // capture thread: the node was called
  std::atomic<std::int64_t> last_delivery_ns{
      0};                // capture thread: host time of the last frames, pushed or not
  CallOrder call_order;  // capture thread
};

/// One mono input port of our node that measures a program's channel.
struct MeterPort {
  std::atomic<std::uint32_t> node{0};  // control thread: which of our measuring nodes has it
  std::atomic<void*> handle{nullptr};  // control thread
  std::atomic<float> peak{0};          // capture thread raises it, the control thread takes it
  std::atomic<bool> heard{false};      // capture thread: frames came since it was taken
};

/// The capture thread's half of PipewireCapture: stamps each graph cycle once, and copies what the
/// ports bring into the taps.
class CaptureSlots {
 public:
  CaptureSlots(const PipewireApi& api, std::shared_ptr<GraphClocks> clocks);

  /// [control-thread] The next `meter_ports` of meters() are measured.
  void set_meter_count(std::size_t meter_ports) noexcept {
    meter_count_.store(meter_ports, std::memory_order_release);
  }
  [[nodiscard]] MeterPort& meter(std::size_t index) noexcept { return meters_[index]; }

  /// [capture-thread] One graph cycle of a node that feeds `slot`, or, where that is nullptr, of
  /// that which measures as `meter_node`. `node_clock` is the node's, for GraphClocks::read(). All
  /// nodes are called on one thread.
  void process(const spa_io_position& position, SourceSlot* slot, std::uint32_t meter_node,
               std::uint32_t& node_clock) noexcept;

  // All below: capture thread writes, any thread reads.
  [[nodiscard]] std::int64_t last_cycle_ns() const noexcept {
    return last_cycle_ns_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::int64_t thread_id() const noexcept {
    return thread_id_.load(std::memory_order_relaxed);
  }

 private:
  /// A port's frames of this cycle; nullptr: nothing is linked, or it gave nothing.
  [[nodiscard]] const float* take_frames(void* handle, std::uint32_t frames) noexcept;
  void push(SourceSlot& slot, const GraphClocks::Cycle& cycle, const spa_io_clock& live_clock,
            std::int64_t now_ns) noexcept;
  void measure(std::uint32_t node, std::uint32_t frames) noexcept;

  const PipewireApi& api_;
  const std::shared_ptr<GraphClocks> clocks_;
  std::array<MeterPort, kMaxMeterPorts> meters_;
  std::atomic<std::size_t> meter_count_{0};
  std::atomic<std::int64_t> last_cycle_ns_{0};
  std::atomic<std::int64_t> thread_id_{0};
};

}  // namespace pypac
