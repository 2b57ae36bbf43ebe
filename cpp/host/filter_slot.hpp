// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/glide.hpp"
#include "host/block_buffer.hpp"
#include "host/delay_line.hpp"
#include "host/parameter_queue.hpp"
#include "plugin/filter.hpp"

namespace pypac {

/// What all filters of a session are made ready for.
struct SlotOptions {
  std::uint32_t sample_rate = 48000;
  std::uint32_t channels = 2;
  std::uint32_t max_frames = 480;
};

/// A filter's place in a chain, and its host.
///
/// It keeps the filter's rules (order of calls, threads, constant latency) in debug builds, brings
/// parameters to it, and fades it in and out: what goes by the filter is delayed by the filter's
/// latency, so that nothing moves. A NaN or infinity that comes out is silence, and the filter
/// forgets what led to it.
class FilterSlot {
 public:
  /// [control-thread] Activates the filter. Throws Failure(invalid_argument). `faded_in`: it is
  /// heard at once, else from its first block on it is faded in.
  FilterSlot(std::string id, std::unique_ptr<Filter> filter, const SlotOptions& options,
             const ParamValues& values, bool bypassed, bool faded_in);
  ~FilterSlot();
  FilterSlot(const FilterSlot&) = delete;
  FilterSlot& operator=(const FilterSlot&) = delete;

  /// [control-thread] A live parameter, heard from the next block on. The value was checked.
  void set(std::size_t index, const ParamValue& value);
  /// [control-thread] What goes in comes out, delayed as before; faded over.
  void set_bypassed(bool bypassed) noexcept {
    bypassed_.store(bypassed, std::memory_order_relaxed);
  }

  /// One block of a slot. Valid until run_bank() returns.
  struct Run {
    FilterSlot* slot = nullptr;
    AudioBlock block;  // in place
    std::span<const BlockView> keys;
    bool leaving = false;  // it is taken out of the chain, and faded out
  };
  /// How many runs run_bank() takes at most.
  static constexpr std::size_t kMaxBank = 8;

  /// [pump] In place. `leaving`: it is taken out of the chain, and faded out.
  void process(const AudioBlock& block, std::span<const BlockView> keys, Frames position,
               bool leaving) noexcept {
    const Run run{this, block, keys, leaving};
    run_bank({&run, 1}, position);
  }
  /// [pump] Slots with filters of one kind, of different tracks; all blocks have the same number
  /// of frames. What process() of each gives, bit for bit.
  static void run_bank(std::span<const Run> runs, Frames position) noexcept;

  /// [pump] How many frames of the last block it should have changed, and had no time for.
  [[nodiscard]] std::uint32_t late_frames() const noexcept { return late_; }
  /// [pump] What the last block became is what the filter makes of it, or should pass.
  [[nodiscard]] bool ready() const noexcept { return resting_ || filter_->ready(); }

  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] const PluginInfo& info() const noexcept { return filter_->info(); }
  /// [control-thread] Of all parameters, as last set.
  [[nodiscard]] const std::vector<ParamValue>& values() const noexcept { return values_; }
  [[nodiscard]] std::uint32_t latency_frames() const noexcept { return latency_; }
  /// [any-thread, realtime-safe] By how many dB the filter made the last block quieter; 0 while it
  /// is not heard.
  [[nodiscard]] float reduction_db() const noexcept {
    return heard_.load(std::memory_order_relaxed) ? filter_->reduction_db() : 0;
  }
  /// [any-thread, realtime-safe] It was leaving, and is not heard any more.
  [[nodiscard]] bool gone() const noexcept { return gone_.load(std::memory_order_acquire); }
  /// [any-thread, realtime-safe] Blocks in which the filter gave something that is no number.
  [[nodiscard]] std::uint64_t faults() const noexcept {
    return faults_.load(std::memory_order_relaxed);
  }

 private:
  [[nodiscard]] bool begin(const AudioBlock& block, bool leaving) noexcept;
  void end(const AudioBlock& block) noexcept;
  void end_faults(const AudioBlock& block) noexcept;

  std::string id_;
  std::unique_ptr<Filter> filter_;
  std::vector<ParamValue> values_;  // control
  ParameterQueue queue_;
  std::uint32_t latency_;
  std::atomic<bool> bypassed_;  // control writes, pump reads
  BlockBuffer dry_;             // pump only, as all below
  std::optional<DelayLine> line_;
  Glide wet_;
  std::uint32_t warming_ = 0;  // frames until what the filter gives is whole
  std::uint32_t late_ = 0;
  // Of the block between begin() and end():
  bool wanted_ = false;  // it is not bypassed, and not leaving
  bool only_dry_ = true;
  bool only_wet_ = false;
  bool resting_ = true;  // the filter was not called for the last block
  bool unheard_;         // nothing was heard yet that could be faded over
  std::atomic<bool> heard_{false};
  std::atomic<bool> gone_{false};
  std::atomic<std::uint64_t> faults_{0};
};

}  // namespace pypac
