// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "core/time.hpp"
#include "timeline/gap_sink.hpp"
#include "timeline/packet.hpp"

namespace pypac {

/// Places one source's packets on the timeline and hands out contiguous frames.
///
/// Packets are appended, gaps become silence, overlaps are trimmed, frames off the timeline's rate
/// are resampled. All on the pump.
class Aligner {
 public:
  /// [control-thread] Allocates; nothing afterwards does.
  Aligner(std::uint32_t channels, std::uint32_t max_block, std::uint32_t max_packet);

  /// [pump] True if place() can take a packet of `frames` now (it has room before take() is called).
  [[nodiscard]] bool has_room(std::uint32_t frames) const noexcept;

  /// [pump] Places a packet. `next` is the packet behind it if that has come already, else nullptr:
  /// it tells whether a suspect stamp was late. Returns false if the packet is suspect and must wait
  /// for its successor; offer it again then, or with `give_up_waiting` when its time has come.
  [[nodiscard]] bool place(const PacketView& packet, const PacketView* next, bool give_up_waiting,
                           GapSink& gaps) noexcept;

  /// [pump] The timeline up to which place() has brought frames (or known gaps).
  [[nodiscard]] Frames covered_until() const noexcept;

  /// [pump] Copies [begin, begin + frames) to `out` (one pointer a channel) and forgets everything
  /// before its end. What has not come is silence, reported with cause `absence`; frames that come
  /// for it afterwards are `late`. `begin` is where the last call ended. Returns how many of the
  /// frames were captured.
  std::uint32_t take(Frames begin, std::uint32_t frames, float* const* out, Cause absence,
                     GapSink& gaps) noexcept;
};

}  // namespace pypac
