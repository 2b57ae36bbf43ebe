// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/meter.hpp"
#include "host/block_buffer.hpp"
#include "plugin/source.hpp"
#include "timeline/ledger.hpp"

namespace pypac {

/// Which cause the ledger is told of a source's silence.
///
/// Example: not_running, then 50 ms of starting, then sound: all of it is not_running.
class SilenceCause {
 public:
  explicit SilenceCause(std::uint32_t sample_rate) noexcept : brief_(sample_rate / 4) {}

  /// [pump] So many frames later the source says this of its absence.
  [[nodiscard]] Cause follow(Cause absence, Frames frames) noexcept;

 private:
  Frames brief_;
  Cause absence_ = Cause::not_running;  // as seen last
  Cause silence_ = Cause::not_running;  // what the ledger is told
  Frames absence_frames_ = 0;           // for how long it has been that
};

/// A source in the engine: its packets, brought to the timeline, block by block.
class SourceNode {
 public:
  /// [control-thread]
  SourceNode(std::string id, std::shared_ptr<LedgerAccount> account, std::shared_ptr<Source> source,
             std::uint32_t sample_rate, std::uint32_t max_block);

  /// [pump] Makes block() hold [begin, begin + frames). The first block may be any; they are
  /// contiguous from there on. `until`: the host time up to which a source without a thread of its
  /// own shall produce.
  void process(Frames begin, std::uint32_t frames, HostTime until, Ledger& ledger) noexcept;

  /// [pump] Valid until the next process().
  [[nodiscard]] BlockView block() const noexcept { return shown_; }

  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] LedgerAccount& account() const noexcept { return *account_; }
  [[nodiscard]] const std::shared_ptr<Source>& source() const noexcept { return source_; }
  [[nodiscard]] std::uint32_t channels() const noexcept { return block_.channel_count(); }
  [[nodiscard]] const Meter& meter() const noexcept { return meter_; }
  [[nodiscard]] const ClockDomain& domain() const noexcept { return source_->clock(); }
  /// [any-thread, realtime-safe] Frames that came from the source; the rest is silence of ours.
  [[nodiscard]] Frames captured_frames() const noexcept {
    return captured_frames_.load(std::memory_order_relaxed);
  }
  /// [any-thread, realtime-safe] Frames that came after their time and were dropped.
  [[nodiscard]] Frames late_frames() const noexcept {
    return late_frames_.load(std::memory_order_relaxed);
  }

 private:
  std::string id_;
  std::shared_ptr<LedgerAccount> account_;
  std::shared_ptr<Source> source_;
  BlockBuffer block_;                // pump only: where a block is put together
  BlockView shown_ = block_.view();  // pump only
  Meter meter_;
  SilenceCause silence_;  // pump only
  std::atomic<Frames> captured_frames_{0};
  std::atomic<Frames> late_frames_{0};
};

}  // namespace pypac
