// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/glide.hpp"
#include "host/block_buffer.hpp"
#include "host/delay_line.hpp"
#include "host/filter_slot.hpp"

namespace pypac {

class TrackNode;

/// Brings a key to the time of the filter that it steers.
struct KeyLine {
  KeyLine(std::uint32_t channels, std::uint32_t frames, std::uint32_t max_frames)
      : delay(frames), line(channels, frames, max_frames), block(channels, max_frames) {}

  const std::uint32_t delay;
  DelayLine line;     // pump only
  BlockBuffer block;  // pump only
};

/// The delays of a chain, and how it comes in where it takes another one's place. Lives as long as
/// the latencies in it stay what they are.
class ChainLines {
 public:
  /// [control-thread] `before` waits for keys that come later than the track; `behind` for tracks
  /// with a longer way. `warm_up`: frames that it runs unheard once all its filters are ready,
  /// beside the chain whose place it takes. It waits for them up to half a minute.
  ChainLines(std::uint32_t channels, std::uint32_t sample_rate, std::uint32_t max_frames,
             std::uint32_t before, std::uint32_t behind, std::optional<std::uint32_t> warm_up);

  [[nodiscard]] std::uint32_t before() const noexcept { return before_; }
  [[nodiscard]] std::uint32_t behind() const noexcept { return behind_; }

  /// [pump]
  void delay_before(const AudioBlock& block) noexcept;
  void delay_behind(const AudioBlock& block) noexcept;
  /// [pump] How much of this chain is heard, the rest being the old one. `ready`: its filters were,
  /// in the last block.
  [[nodiscard]] GlideBlock take_share(std::uint32_t frames, bool ready) noexcept;
  /// [pump] A copy to run another chain on, valid until the next one.
  [[nodiscard]] AudioBlock copy_of(const AudioBlock& block) noexcept;

  /// [any-thread, realtime-safe] Something of it is heard.
  [[nodiscard]] bool heard() const noexcept { return heard_.load(std::memory_order_acquire); }
  /// [any-thread, realtime-safe] Nothing is heard any more of the chain whose place it took.
  [[nodiscard]] bool entered() const noexcept { return entered_.load(std::memory_order_acquire); }

 private:
  const std::uint32_t before_;
  const std::uint32_t behind_;
  std::optional<DelayLine> before_line_;  // pump only, as all below
  std::optional<DelayLine> behind_line_;
  BlockBuffer copy_;
  std::uint64_t waiting_;  // frames, at most
  std::uint32_t warming_;
  Glide share_;
  std::atomic<bool> heard_;
  std::atomic<bool> entered_;
};

/// A track's filters in their order, as one plan has them.
struct TrackChain {
  static constexpr std::size_t kMaxKeys = 16;

  struct Key {
    std::shared_ptr<TrackNode> track;
    std::shared_ptr<KeyLine> line;  // nullptr: it is in time as it is
  };
  struct Link {
    std::shared_ptr<FilterSlot> slot;
    std::vector<Key> keys;
    bool leaving = false;

    /// [pump] The keys in the time of the filter. Valid until the next call; `room` holds them.
    [[nodiscard]] std::span<const BlockView> take_keys(std::uint32_t frames,
                                                       std::span<BlockView> room) const noexcept;
  };

  std::shared_ptr<ChainLines> lines;
  std::vector<Link> links;

  /// [pump] Up to where other tracks take it as a key.
  void filter(const AudioBlock& block, Frames position) const noexcept;

  /// One block of a chain.
  struct Run {
    const TrackChain* chain = nullptr;
    AudioBlock block;  // in place
  };
  /// [pump] What filter() of each gives, bit for bit: chains of different tracks, none of which
  /// steers another. Filters of one kind run side by side where several chains come to theirs.
  static void filter_bank(std::span<const Run> runs, Frames position) noexcept;
  /// [pump] What of the block that begins at `position` a filter had no time for: where it lies on
  /// the timeline, and how many frames, of the filter that is worst off.
  struct Late {
    Frames begin = 0;
    std::uint32_t frames = 0;
  };
  [[nodiscard]] Late late(Frames position) const noexcept;
  /// [pump] All its filters are.
  [[nodiscard]] bool ready() const noexcept;
  /// [control-thread] Of all links that stay, with what is waited for before them.
  [[nodiscard]] std::uint32_t latency_frames() const noexcept;
};

}  // namespace pypac
