// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>

#include "plugin/source.hpp"
#include "plugin/source_feed.hpp"
#include "timeline/aligner.hpp"

namespace pypac {

/// A source of one clock: its packets come through one feed, and an aligner brings them to the
/// timeline.
///
/// With a thread of its own it pushes from there; without, it makes its packets in produce().
class FedSource : public Source {
 public:
  [[nodiscard]] Taken read(const Wanted& wanted, GapSink& gaps) noexcept final;
  [[nodiscard]] std::uint32_t channels() const noexcept final { return feed_.channels(); }
  [[nodiscard]] const ClockDomain& clock() const noexcept final { return feed_.domain(); }
  [[nodiscard]] Cause absence() const noexcept final { return feed_.absence(); }

  /// [any-thread] Lives as long as the source.
  [[nodiscard]] SourceFeed& feed() noexcept { return feed_; }

 protected:
  /// [control-thread] `domain` is the clock that stamps its packets.
  FedSource(std::uint32_t channels, std::uint32_t capacity_frames,
            std::shared_ptr<ClockDomain> domain);

  /// [pump] Before each block.
  virtual void produce(HostTime until) noexcept { static_cast<void>(until); }

  SourceFeed feed_;

 private:
  Aligner aligner_;     // pump only
  bool begun_ = false;  // pump only
};

/// [pump] Brings the packets of a feed that are due, and those that there is room for, to the
/// timeline, for as long as `wants_more` says so.
template <typename Condition>
void place_packets(SourceFeed& feed, Aligner& aligner, Frames end, GapSink& gaps,
                   const Condition& wants_more) noexcept {
  PacketView packet;
  while (wants_more() && feed.peek(0, packet) && aligner.has_room(packet.frames)) {
    PacketView next;
    const bool has_next = feed.peek(1, next);
    const bool due = packet.stamp.timeline < static_cast<double>(end);
    if (!aligner.place(packet, has_next ? &next : nullptr, due, gaps)) return;
    feed.pop();
  }
}

}  // namespace pypac
