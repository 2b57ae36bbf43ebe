// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/time.hpp"

namespace pypac {

/// What the pump fills: where finished blocks of some tracks go. It never makes the pump wait.
///
/// For each block the pump calls begin_block(), and where that is granted, write_track() once for
/// every track and commit_block(). finish() comes last.
class Sink {
 public:
  virtual ~Sink() = default;

  /// [control-thread] The timeline is fixed now. Once, before the first block.
  virtual void start(const TimelineAnchor& anchor) { static_cast<void>(anchor); }

  /// [pump] Opens the next block. False: there is no room, or the sink is closed; the block is
  /// dropped.
  [[nodiscard]] virtual bool begin_block(Frames start, std::uint32_t frames) noexcept = 0;
  /// [pump] Fills one track of the open block from planar channels. They are valid until it
  /// returns.
  virtual void write_track(std::size_t track, const float* const* channels) noexcept = 0;
  /// [pump] Hands the block over.
  virtual void commit_block() noexcept = 0;
  /// [pump] The session has ended: nothing follows. Also called by the control thread for a sink
  /// that came too late for any block.
  virtual void finish() noexcept = 0;
  /// [pump] How many frames whoever takes them from here has lost since the last call, beside the
  /// blocks that were refused: for the ledger.
  [[nodiscard]] virtual Frames take_lost() noexcept { return 0; }

  /// [any-thread, realtime-safe] Wants no more blocks, and takes none.
  [[nodiscard]] virtual bool closed() const noexcept = 0;
  /// [any-thread, realtime-safe] How many frames it takes now without dropping any: what an offline
  /// session waits for.
  [[nodiscard]] virtual std::uint64_t room() const noexcept = 0;
};

}  // namespace pypac
