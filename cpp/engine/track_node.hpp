// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/glide.hpp"
#include "engine/loudness.hpp"
#include "engine/meter.hpp"
#include "engine/track_chain.hpp"
#include "host/block_buffer.hpp"
#include "timeline/ledger.hpp"

namespace pypac {

/// A track in the engine: the sum of its sends, through its filters and its fader, to its meter.
class TrackNode {
 public:
  /// [control-thread]
  TrackNode(std::string id, std::uint32_t channels, std::shared_ptr<LedgerAccount> account,
            std::uint32_t sample_rate, std::uint32_t max_block, float gain, bool muted);
  TrackNode(const TrackNode&) = delete;
  TrackNode& operator=(const TrackNode&) = delete;

  /// [control-thread] Linear.
  void set_gain(float gain) noexcept { gain_.store(gain, std::memory_order_relaxed); }
  /// [control-thread]
  void set_muted(bool muted) noexcept { muted_.store(muted, std::memory_order_relaxed); }

  /// [pump] Begins a block.
  void begin(std::uint32_t frames) noexcept;
  /// [pump] Adds a source to the block.
  void send(BlockView source, const GlideBlock& gain) noexcept;
  /// [pump] Behind the last send: the block as `chain` has to filter it, before finish(). While
  /// `chain` comes in, `old_chain` is what is heard.
  [[nodiscard]] AudioBlock mixed(const TrackChain& chain, const TrackChain* old_chain) noexcept;
  /// [pump] Delays, levels and meters what `chain` has filtered; the block's first frame is
  /// `position`. `is_key`: another track takes key().
  void finish(const TrackChain& chain, const TrackChain* old_chain, bool is_key,
              Frames position) noexcept;

  /// [pump] Its fader stands at 0 dB, and it is not muted.
  [[nodiscard]] bool passes() const noexcept;
  /// [pump] Instead of begin(), send() and finish() where the track's block is its one source's as
  /// it stands: no copy, no second measuring.
  void pass(BlockView source, const Meter& meter) noexcept;

  /// [pump] Nothing was sent to the block.
  [[nodiscard]] bool empty() const noexcept { return empty_; }
  /// [pump] It was muted for all of the block.
  [[nodiscard]] bool silenced() const noexcept { return silenced_; }
  /// [pump] Frames below are in the ledger already, where something was wrong with them.
  [[nodiscard]] Frames listed() const noexcept { return listed_; }
  void set_listed(Frames end) noexcept { listed_ = end; }
  /// [pump] Valid until the next begin() or pass().
  [[nodiscard]] BlockView block() const noexcept { return shown_; }
  /// [pump] What other tracks' filters hear of it: after its filters and its fader, before its
  /// delay. Valid until the next begin() or pass().
  [[nodiscard]] BlockView key() const noexcept { return key_; }

  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] LedgerAccount& account() const noexcept { return *account_; }
  [[nodiscard]] std::uint32_t channels() const noexcept { return block_.channel_count(); }
  [[nodiscard]] const Meter& meter() const noexcept { return meter_; }
  [[nodiscard]] LoudnessMeter& loudness() noexcept { return loudness_; }

 private:
  [[nodiscard]] float target() const noexcept {
    return muted_.load(std::memory_order_relaxed) ? 0 : gain_.load(std::memory_order_relaxed);
  }

  std::string id_;
  std::shared_ptr<LedgerAccount> account_;
  std::atomic<float> gain_;  // control writes, pump reads
  std::atomic<bool> muted_;  // control writes, pump reads
  Glide fader_;              // pump only, as all below but the meter
  BlockBuffer block_;
  BlockBuffer key_block_;
  BlockView shown_ = block_.view();
  BlockView key_ = block_.view();
  Meter meter_;
  LoudnessMeter loudness_;
  std::uint32_t frames_ = 0;
  GlideBlock share_;  // of the new chain; as all that mixed() leaves to finish()
  AudioBlock old_;
  bool old_is_heard_ = false;
  GlideBlock level_;
  Frames listed_ = 0;
  bool empty_ = true;  // nothing was sent to this block yet
  bool silenced_ = false;
};

}  // namespace pypac
