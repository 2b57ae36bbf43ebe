// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/spsc_ring.hpp"
#include "core/time.hpp"

namespace pypac {

/// What is worth knowing of one packet, as Windows handed it over.
struct PacketRecord {
  std::uint32_t frames = 0;
  std::uint64_t qpc_100ns = 0;  // its stamp
  HostTime received{};          // QPC when it was handed over
  bool silent = false;
  bool discontinuity = false;
  bool timestamp_error = false;
  float peak = 0;  // amplitude; 0 where `silent`
};

/// Every packet of one capture, for whoever wants to look at them one by one.
class PacketLog {
 public:
  /// [control-thread] Packets are kept until they are taken, up to 80 s of 5 ms each.
  PacketLog() : ring_(std::size_t{1} << 14) {}

  /// [capture-thread]
  void write(const PacketRecord& record) noexcept {
    if (!ring_.push(record)) lost_.fetch_add(1, std::memory_order_relaxed);
  }

  /// [control-thread] What came since the last call.
  [[nodiscard]] std::vector<PacketRecord> take() {
    std::vector<PacketRecord> records;
    for (const PacketRecord* one = ring_.front(); one; one = ring_.front()) {
      records.push_back(*one);
      ring_.pop();
    }
    return records;
  }

  /// [any-thread, realtime-safe] Packets for which there was no room.
  [[nodiscard]] std::uint64_t lost() const noexcept {
    return lost_.load(std::memory_order_relaxed);
  }

 private:
  SpscRing<PacketRecord> ring_;
  std::atomic<std::uint64_t> lost_{0};
};

}  // namespace pypac
