// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/glide.hpp"
#include "host/block_buffer.hpp"
#include "host/delay_line.hpp"
#include "host/lane_memory.hpp"
#include "os/passed_memory.hpp"
#include "plugin/filter.hpp"

namespace pypac {

/// What a filter shares with the process that does its work, and with whoever starts that.
class Lane {
 public:
  /// [control-thread]
  Lane(std::string kind, const Activation& activation);

  /// [any-thread] Of the filter.
  [[nodiscard]] const std::string& kind() const noexcept { return kind_; }
  [[nodiscard]] const PassedMemory& memory() const noexcept { return memory_; }
  [[nodiscard]] lane::Header& header() const noexcept {
    return *reinterpret_cast<lane::Header*>(memory_.data());
  }

  /// [any-thread, realtime-safe] The filter is gone.
  [[nodiscard]] bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }
  /// [any-thread] Frames that were not in time, so far.
  [[nodiscard]] std::uint64_t late_frames() const noexcept {
    return late_frames_.load(std::memory_order_relaxed);
  }
  /// [control-thread] In a session that runs offline: the pump waits for the process so long.
  void set_patience(HostTime patience) noexcept {
    patience_ns_.store(patience.count(), std::memory_order_relaxed);
  }
  /// [any-thread] No process works for it, nor will: nobody has to wait for one.
  void give_up() noexcept {
    set_patience(HostTime(0));
    given_up_.store(true, std::memory_order_relaxed);
  }

 private:
  friend class LaneFilter;

  std::string kind_;
  lane::Layout layout_;
  PassedMemory memory_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> given_up_{false};
  std::atomic<std::uint64_t> late_frames_{0};  // pump writes
  std::atomic<std::int64_t> patience_ns_{0};
};

/// A filter whose work another process does.
///
/// It sends each block there, and has the frames back a constant time later. What is not in time
/// is left dry, faded over to and back. The pump never waits for it.
class LaneFilter final : public Filter {
 public:
  /// [control-thread] `on_lane` is told of the lane when it is activated, so that somebody starts
  /// the process. `own_latency`: by how many frames what the process gives lags what it gets.
  LaneFilter(std::shared_ptr<const PluginInfo> info,
             std::function<void(std::shared_ptr<Lane>)> on_lane, std::uint32_t own_latency = 0);

  [[nodiscard]] const PluginInfo& info() const noexcept override { return *info_; }
  void activate(const Activation& activation) override;
  void deactivate() noexcept override;
  void process(const ProcessContext& context) noexcept override;
  void reset() noexcept override;
  [[nodiscard]] std::uint32_t latency_frames() const noexcept override { return latency_; }
  [[nodiscard]] std::uint32_t late_frames() const noexcept override { return late_; }
  [[nodiscard]] bool ready() const noexcept override {
    return share_->stands_at(1) || lane_->given_up_.load(std::memory_order_relaxed);
  }

 private:
  void send(const AudioBlock& block) noexcept;
  void fetch(std::int64_t begin, const AudioBlock& block) const noexcept;
  [[nodiscard]] bool has(std::int64_t begin, std::int64_t end) const noexcept;
  void wait_for(std::int64_t begin, std::int64_t end) const noexcept;

  std::shared_ptr<const PluginInfo> info_;
  std::function<void(std::shared_ptr<Lane>)> on_lane_;
  std::shared_ptr<Lane> lane_;
  const std::uint32_t own_latency_;
  std::uint32_t latency_ = 0;  // of all of it
  std::int64_t glide_ = 0;
  std::optional<DelayLine> line_;  // pump only, as all below
  std::optional<BlockBuffer> dry_;
  std::optional<Glide> share_;  // of what comes from the process
  std::int64_t written_ = 0;
  std::uint32_t resets_ = 0;   // what the other process can write to is only written
  std::int64_t expected_ = 0;  // frames below belong to no stretch that is heard
  std::uint32_t late_ = 0;
};

/// The other end of a lane, in the process that does the work. For one thread.
class LaneEnd {
 public:
  /// [control-thread] Takes the handle over. Throws Failure(invalid_argument).
  LaneEnd(std::intptr_t handle, std::size_t bytes);

  [[nodiscard]] const lane::Header& header() const noexcept { return *header_; }
  [[nodiscard]] std::uint32_t channels() const noexcept { return layout_.channels; }

  /// Waits for frames, and gives how many there are, at most header().max_frames; 0: none came.
  [[nodiscard]] std::uint32_t wait(HostTime timeout) noexcept;
  /// True once for each break before the frames that wait() has found.
  [[nodiscard]] bool take_reset() noexcept;
  /// Copies the frames that wait() has found.
  void take(float* frames, std::uint32_t count) noexcept;
  /// Gives back as many frames as were taken.
  void give(const float* frames, std::uint32_t count) noexcept;

 private:
  PassedMemory memory_;
  lane::Header* header_;
  lane::Layout layout_;
  std::int64_t read_;
  std::uint32_t resets_;
  bool reset_ = false;
};

}  // namespace pypac
