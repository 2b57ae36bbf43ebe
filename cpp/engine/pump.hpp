// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <span>
#include <string>
#include <thread>

#include "core/host_clock.hpp"
#include "core/time.hpp"
#include "engine/plan.hpp"
#include "os/wake_signal.hpp"
#include "timeline/ledger.hpp"

namespace pypac {

struct PumpOptions {
  std::uint32_t sample_rate = 48000;
  std::uint32_t block_frames = 480;     // what is handled at once
  std::uint32_t latency_frames = 1920;  // how long it waits for late packets
};

/// The one thread that advances time: it carries out the newest plan, block by block.
///
/// The block [t, t + block) is handled once host time has reached the end of the block plus the
/// latency. What comes out of it is the block that went in `budget` frames before, so that all
/// tracks are as late as each other: position() is how far that is.
class Pump {
 public:
  /// [control-thread] Clock and ledger outlive the pump.
  Pump(const PumpOptions& options, HostClock& clock, Ledger& ledger);
  ~Pump();
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  /// [control-thread] The next block is handled by this plan. It lives until in_use() is another
  /// one.
  void publish(const Plan& plan) noexcept;
  /// [control-thread] The plan that the pump may be in; behind publish(), that or the newest.
  [[nodiscard]] const Plan* in_use() const noexcept;

  /// [control-thread] Before start() and run_offline(): frame 0, and by how much all tracks are
  /// delayed: a multiple of the block.
  void set_timeline(const TimelineAnchor& anchor, std::uint32_t budget_frames) noexcept;
  /// [control-thread] Starts the thread. Once.
  void start();
  /// [control-thread] The session will be `end` frames long.
  void set_end(Frames end) noexcept;
  /// [control-thread] Ends the session now: what has been heard so far is still handled. Before
  /// start(): the session will have no frames.
  void finish() noexcept;
  /// [control-thread] Waits for the end; false if it has not come by then. For one thread.
  [[nodiscard]] bool wait_finished(std::chrono::nanoseconds timeout);
  /// [control-thread] Ends at once, without what is still under way.
  void abort() noexcept;

  /// [control-thread] Instead of start(). See Engine.
  void run_offline(Frames frames, const std::function<bool()>& interrupted);
  void finish_offline() noexcept;

  /// [any-thread, realtime-safe] How far the timeline has come.
  [[nodiscard]] Frames position() const noexcept {
    return position_.load(std::memory_order_acquire);
  }
  /// [any-thread, realtime-safe] How far the sources have come: a budget ahead of position().
  [[nodiscard]] Frames taken() const noexcept { return taken_.load(std::memory_order_acquire); }
  [[nodiscard]] bool started() const noexcept { return started_.load(std::memory_order_acquire); }
  [[nodiscard]] bool finished() const noexcept { return finished_.load(std::memory_order_acquire); }
  [[nodiscard]] const TimelineAnchor& anchor() const noexcept { return anchor_; }
  [[nodiscard]] HostTime worst_lateness() const noexcept {
    return HostTime(worst_lateness_.load(std::memory_order_relaxed));
  }
  [[nodiscard]] std::string priority_refusal() const;

 private:
  static constexpr Frames kNoEnd = std::numeric_limits<Frames>::max() / 2;

  void run();
  [[nodiscard]] const Plan* announce_newest_plan() noexcept;
  void process_block(Frames begin, std::uint32_t frames) noexcept;
  void process_tracks(std::span<const Plan::Track> group, Frames begin,
                      std::uint32_t frames) noexcept;
  [[nodiscard]] static bool mix(const Plan::Track& track, std::uint32_t frames) noexcept;
  void note(const Plan::Track& track, Frames begin, std::uint32_t frames) noexcept;
  void list(TrackNode& node, Cause cause, Frames begin, Frames frames) noexcept;
  void deliver(const Plan::Output& output, Frames begin, std::uint32_t frames) noexcept;
  void end_outputs() noexcept;
  [[nodiscard]] bool wait_for_readers(const std::function<bool()>& interrupted);

  const PumpOptions options_;
  HostClock& clock_;
  Ledger& ledger_;
  TimelineAnchor anchor_;                          // before start
  Frames budget_ = 0;                              // before start
  std::atomic<const Plan*> newest_plan_{nullptr};  // control writes
  std::atomic<const Plan*> plan_in_use_{nullptr};  // pump writes
  std::atomic<Frames> taken_{0};                   // pump writes
  std::atomic<Frames> position_{0};                // pump writes
  std::atomic<Frames> end_{kNoEnd};
  std::atomic<bool> started_{false};
  std::atomic<bool> abort_{false};
  std::atomic<bool> finished_{false};
  std::atomic<std::int64_t> worst_lateness_{0};
  mutable std::mutex priority_mutex_;  // never taken once the pump has its priority
  std::string priority_refusal_;
  std::mutex offline_mutex_;  // run_offline() and finish_offline()
  WakeSignal finished_signal_;
  std::thread thread_;
};

}  // namespace pypac
