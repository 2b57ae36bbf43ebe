// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/meter.hpp"
#include "engine/mixer.hpp"
#include "plugin/filter.hpp"

namespace pypac {

/// A track in the engine: the sum of its sends, through its filters, to its meter.
class TrackNode {
 public:
  /// [control-thread] Activates the filters; the destructor deactivates them.
  TrackNode(std::string name, std::uint32_t channels, std::vector<std::unique_ptr<Filter>> filters,
            std::uint32_t sample_rate, std::uint32_t max_block);
  ~TrackNode();
  TrackNode(const TrackNode&) = delete;
  TrackNode& operator=(const TrackNode&) = delete;

  /// [pump] Begins a block.
  void begin(std::uint32_t frames) noexcept;
  /// [pump] Adds a source to the block.
  void send(BlockView source, float gain) noexcept;
  /// [pump] Filters and meters the block.
  void finish() noexcept;

  /// [control-thread] True where a block of that source, sent alone at gain 1, is this track's
  /// block as it stands.
  [[nodiscard]] bool passes(BlockView source) const noexcept {
    return filters_.empty() && source.channel_count() == channels();
  }
  /// [pump] Instead of begin(), send() and finish() where the track passes its one source: no copy,
  /// no second measuring.
  void pass(BlockView source, const Meter& meter) noexcept;

  /// [pump] Valid until the next begin() or pass().
  [[nodiscard]] BlockView block() const noexcept { return shown_; }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::uint32_t channels() const noexcept { return block_.channel_count(); }
  [[nodiscard]] const Meter& meter() const noexcept { return meter_; }
  [[nodiscard]] std::uint32_t latency_frames() const noexcept;

 private:
  std::string name_;
  std::vector<std::unique_ptr<Filter>> filters_;
  BlockBuffer block_;
  BlockView shown_ = block_.view();  // pump only
  Meter meter_;
  std::uint32_t frames_ = 0;  // pump only
  bool empty_ = true;         // pump only: nothing was sent to this block yet
};

}  // namespace pypac
