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
  class Gaps;
  [[nodiscard]] Cause cause_of_silence(Cause absence, Frames frames) noexcept;

  std::string id_;
  std::shared_ptr<LedgerAccount> account_;
  std::uint32_t sample_rate_;
  std::shared_ptr<Source> source_;
  BlockBuffer block_;                // pump only: where a block is put together
  BlockView shown_ = block_.view();  // pump only
  Meter meter_;
  Cause absence_ = Cause::not_running;  // pump only: the feed's, as seen last
  Cause silence_ = Cause::not_running;  // pump only: what the ledger is told
  Frames absence_frames_ = 0;           // pump only: for how long it has been that
  std::atomic<Frames> captured_frames_{0};
  std::atomic<Frames> late_frames_{0};
};

}  // namespace pypac
