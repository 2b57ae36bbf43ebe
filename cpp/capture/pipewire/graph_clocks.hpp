// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/time.hpp"
#include "pipewire/pipewire_api.hpp"
#include "timeline/clock_domain.hpp"
#include "timeline/packet.hpp"

namespace pypac {

/// The clocks of the audio graph: each device that drives programs has its own.
///
/// Nodes that one device drives share its clock, so they are aligned to the sample; those of
/// different devices are aligned by host time. Example: the game plays to the headset and the
/// music to the speakers: two clocks, and neither device is made to follow the other.
class GraphClocks {
 public:
  /// Devices that can drive captured programs at the same time. Of more the longest unused clock is
  /// given up.
  static constexpr std::size_t kMaxClocks = 16;
  static constexpr std::uint32_t kNone = 0xffffffff;

  /// [control-thread]
  explicit GraphClocks(std::uint32_t timeline_rate);

  /// [control-thread] Fixes frame 0 for all clocks.
  void set_origin(HostTime origin) noexcept;

  /// [control-thread] From now on this clock id means another clock: PipeWire gives the id of a
  /// driver that has gone to the next one.
  void renew(std::uint32_t clock_id) noexcept;
  /// [control-thread] The same of all.
  void renew_all() noexcept;

  /// [control-thread] A node that was called by this clock last has gone.
  void leave(std::uint32_t node_clock) noexcept;

  /// One cycle of a clock.
  struct Cycle {
    ClockReading reading;
    const Stamp* stamp = nullptr;  // nullptr: there is no timeline yet
    const ClockDomain* domain = nullptr;
  };
  /// [capture-thread] The cycle that a node was called in, stamped once for all nodes of its clock.
  /// `node_clock` is the clock that the node was called by the last time, and is updated: a node
  /// that comes to a clock that none has followed in the meantime finds it changed, for a device
  /// that has paused goes on with another relation of position and time. Valid until the next call.
  [[nodiscard]] Cycle read(const spa_io_clock& clock, std::uint32_t& node_clock) noexcept;

  /// [any-thread] Lives as long as this. A clock to show while there is no other.
  [[nodiscard]] ClockDomain& any_domain() noexcept { return *clocks_.front().domain; }

  // Of the clock that was read last. Capture thread writes, any thread reads.
  [[nodiscard]] std::uint32_t clock_id() const noexcept { return load(clock_id_); }
  [[nodiscard]] std::uint32_t quantum() const noexcept { return load(quantum_); }
  [[nodiscard]] std::uint32_t rate() const noexcept { return load(rate_); }
  // Of all.
  [[nodiscard]] std::uint64_t cycles() const noexcept { return load(cycles_); }
  [[nodiscard]] std::uint64_t lost_cycles() const noexcept { return load(lost_cycles_); }

 private:
  struct Clock {
    std::unique_ptr<ClockDomain> domain;
    std::atomic<std::uint32_t> id{0};
    std::atomic<std::uint32_t> generation{0};
    std::atomic<std::uint32_t> gone_followers{0};  // that `followers` still counts
    // The capture thread's.
    ClockReading newest{.frames = 0};  // no frames: it was never read
    Stamp stamp{};
    bool stamped = false;
    std::uint64_t last_read = 0;  // in cycles
    std::uint32_t followers = 0;  // nodes that it called last
  };

  template <typename Number>
  [[nodiscard]] static Number load(const std::atomic<Number>& value) noexcept {
    return value.load(std::memory_order_relaxed);
  }
  [[nodiscard]] Clock* find(std::uint32_t id) noexcept;
  /// Another node has gone on with it until now.
  [[nodiscard]] static bool is_followed(const Clock& clock, HostTime now) noexcept;
  [[nodiscard]] Clock& clock_of(std::uint32_t id) noexcept;

  std::array<Clock, kMaxClocks> clocks_;
  std::atomic<std::uint32_t> clock_id_{0};
  std::atomic<std::uint32_t> quantum_{0};
  std::atomic<std::uint32_t> rate_{0};
  std::atomic<std::uint64_t> cycles_{0};
  std::atomic<std::uint64_t> lost_cycles_{0};
};

}  // namespace pypac
