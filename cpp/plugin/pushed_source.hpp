// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/host_clock.hpp"
#include "plugin/fed_source.hpp"

namespace pypac {

/// A source that one other thread fills, with frames at the session's rate.
///
/// What it is given lies one behind the other from the moment on at which it was started; skip_to()
/// leaves a gap.
class PushedSource final : public FedSource {
 public:
  /// [control-thread] The clock outlives the source.
  PushedSource(std::uint32_t sample_rate, std::uint32_t channels, std::uint32_t capacity_frames,
               const HostClock& clock);

  void start(HostTime origin) override { join(origin, 0); }
  void join(HostTime origin, Frames first) override;
  void stop() noexcept override { stopped_.store(true, std::memory_order_release); }

  /// [any-thread, realtime-safe] It may be filled.
  [[nodiscard]] bool started() const noexcept { return started_.load(std::memory_order_acquire); }
  /// [any-thread, realtime-safe] Nothing more is taken.
  [[nodiscard]] bool stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }

  /// [feeding-thread & started] The frame of the timeline that is heard now.
  [[nodiscard]] Frames now() const noexcept;
  /// [feeding-thread & started] Where the next frame comes to lie.
  [[nodiscard]] Frames position() const noexcept { return position_; }
  /// [feeding-thread & started] The frames up to there are missing, for that cause.
  void skip_to(Frames position, Cause cause) noexcept;
  /// [feeding-thread & started] Takes frames of interleaved channels. Those that there is no room
  /// for are lost, and counted.
  void push(const float* samples, std::uint32_t frames) noexcept;

 private:
  const std::uint32_t sample_rate_;
  const HostClock& clock_;
  std::shared_ptr<ClockDomain> domain_;
  TimelineAnchor anchor_;    // control thread, before started_
  Frames position_ = 0;      // control thread before started_, then the feeding thread
  std::uint32_t epoch_ = 0;  // feeding thread, as the next
  Cause gap_cause_{};
  std::atomic<bool> started_{false};
  std::atomic<bool> stopped_{false};

  PushedSource(std::uint32_t sample_rate, std::uint32_t channels, std::uint32_t capacity_frames,
               const HostClock& clock, std::shared_ptr<ClockDomain> domain);
};

}  // namespace pypac
