// SPDX-License-Identifier: MIT
#include "engine/source_node.hpp"

#include <utility>

#include "core/thread_role.hpp"

namespace pypac {

namespace {

bool is_absence(Cause cause) noexcept {
  return cause == Cause::not_running || cause == Cause::no_stream || cause == Cause::paused ||
         cause == Cause::starting || cause == Cause::stalled || cause == Cause::underrun ||
         cause == Cause::refused || cause == Cause::backend_lost || cause == Cause::source_failed;
}

/// Tells the ledger about one source.
class SourceGaps final : public GapSink {
 public:
  SourceGaps(Ledger& ledger, LedgerAccount& account, SilenceCause& silence)
      : ledger_(ledger), account_(account), silence_(silence) {}

  void incident(Cause cause, Frames begin, Frames frames) noexcept override {
    if (is_absence(cause)) {
      cause = silence_.follow(cause, frames);
      absent_ = true;
    }
    ledger_.add(account_, cause, begin, frames);
    if (cause == Cause::late) late_frames_ += frames;
  }

  [[nodiscard]] Frames late_frames() const noexcept { return late_frames_; }
  [[nodiscard]] bool absent() const noexcept { return absent_; }

 private:
  Ledger& ledger_;
  LedgerAccount& account_;
  SilenceCause& silence_;
  Frames late_frames_ = 0;
  bool absent_ = false;
};

}  // namespace

SourceNode::SourceNode(std::string id, std::shared_ptr<LedgerAccount> account,
                       std::shared_ptr<Source> source, std::uint32_t sample_rate,
                       std::uint32_t max_block)
    : id_(std::move(id)),
      account_(std::move(account)),
      source_(std::move(source)),
      block_(source_->channels(), max_block),
      meter_(sample_rate),
      silence_(sample_rate) {}

void SourceNode::process(Frames begin, std::uint32_t frames, HostTime until,
                         Ledger& ledger) noexcept {
  PYPAC_ASSERT_PUMP();
  SourceGaps gaps(ledger, *account_, silence_);
  const auto [captured, channels] = source_->read({begin, frames, until, block_.channels()}, gaps);
  // What is there ends an absence: the next one is another.
  if (!gaps.absent()) static_cast<void>(silence_.follow(source_->absence(), frames));
  shown_ = BlockView(channels, block_.channel_count());
  if (captured > 0) ledger.captured(*account_, begin + frames);
  captured_frames_.store(captured_frames() + captured, std::memory_order_relaxed);
  late_frames_.store(late_frames() + gaps.late_frames(), std::memory_order_relaxed);
  meter_.process(channels, shown_.channel_count(), frames);
}

Cause SilenceCause::follow(Cause absence, Frames frames) noexcept {
  if (absence != absence_) {
    absence_ = absence;
    absence_frames_ = 0;
  }
  absence_frames_ += frames;
  // Between a program's start and its first frame lie some 50 ms without a stream, with one that
  // is not started yet, with one that is starting. They belong to its absence; only what lasts
  // longer is worth a line of its own. So after a pause.
  const bool on_the_way =
      absence == Cause::no_stream || absence == Cause::paused || absence == Cause::starting;
  const bool was_absent =
      silence_ == Cause::not_running || silence_ == Cause::no_stream || silence_ == Cause::paused;
  if (!on_the_way || !was_absent || absence_frames_ > brief_) silence_ = absence;
  return silence_;
}

}  // namespace pypac
