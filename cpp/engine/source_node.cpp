// SPDX-License-Identifier: MIT
#include "engine/source_node.hpp"

#include <utility>

#include "core/thread_role.hpp"

namespace pypac {
namespace {

// PipeWire's largest quantum (clock.quantum-limit) is 8192 frames; a stream at a quarter of the
// timeline's rate still fits.
constexpr std::uint32_t kMaxPacket = 4 * 8192;

/// Tells the ledger about one source.
class SourceGaps final : public GapSink {
 public:
  SourceGaps(Ledger& ledger, LedgerAccount& account) : ledger_(ledger), account_(account) {}

  void incident(Cause cause, Frames begin, Frames frames) noexcept override {
    ledger_.add(account_, cause, begin, frames);
    if (cause == Cause::late) late_frames_ += frames;
  }

  [[nodiscard]] Frames late_frames() const noexcept { return late_frames_; }

 private:
  Ledger& ledger_;
  LedgerAccount& account_;
  Frames late_frames_ = 0;
};

}  // namespace

SourceNode::SourceNode(std::string id, std::shared_ptr<LedgerAccount> account,
                       std::shared_ptr<Source> source, std::uint32_t sample_rate,
                       std::uint32_t max_block)
    : id_(std::move(id)),
      account_(std::move(account)),
      sample_rate_(sample_rate),
      source_(std::move(source)),
      aligner_(source_->feed().channels(), max_block, kMaxPacket),
      block_(source_->feed().channels(), max_block),
      meter_(sample_rate) {}

void SourceNode::process(Frames begin, std::uint32_t frames, HostTime until,
                         Ledger& ledger) noexcept {
  PYPAC_ASSERT_PUMP();
  if (!begun_) aligner_.start_at(begin);
  begun_ = true;
  source_->poll(until);
  SourceFeed& feed = source_->feed();
  SourceGaps gaps(ledger, *account_);
  source_->gather(begin, frames, gaps);
  const Frames end = begin + frames;
  PacketView packet;
  while (feed.peek(0, packet) && aligner_.has_room(packet.frames)) {
    PacketView next;
    const bool has_next = feed.peek(1, next);
    const bool due = packet.stamp.timeline < static_cast<double>(end);
    if (!aligner_.place(packet, has_next ? &next : nullptr, due, gaps)) break;
    feed.pop();
  }
  const auto [captured, channels] =
      aligner_.take(begin, frames, block_.channels(), cause_of_silence(frames), gaps);
  shown_ = BlockView(channels, block_.channel_count());
  if (captured > 0) ledger.captured(*account_, end);
  captured_frames_.store(captured_frames() + captured, std::memory_order_relaxed);
  late_frames_.store(late_frames() + gaps.late_frames(), std::memory_order_relaxed);
  meter_.process(channels, shown_.channel_count(), frames);
}

Cause SourceNode::cause_of_silence(std::uint32_t frames) noexcept {
  const Cause absence = source_->feed().absence();
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
  if (!on_the_way || !was_absent || absence_frames_ > sample_rate_ / 4) silence_ = absence;
  return silence_;
}

}  // namespace pypac
