// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/host_clock.hpp"
#include "core/time.hpp"
#include "engine/plan.hpp"
#include "sinks/reader_ring.hpp"
#include "timeline/ledger.hpp"

namespace pypac {

struct EngineOptions {
  std::uint32_t sample_rate = 48000;
  std::uint32_t block_frames = 480;     // what the pump handles at once
  std::uint32_t latency_frames = 1920;  // how long it waits for late packets
  std::uint32_t max_sources = 256;
  std::uint32_t max_outputs = 256;  // at once
};

/// Runs a plan: advances the timeline, block by block, and keeps the ledger.
///
/// The block [t, t + block) is handled once host time has reached the end of the block plus the
/// latency. Example: 48 kHz, blocks of 480, latency 1920: frame 0 reaches the outputs 50 ms after
/// the origin.
class Engine {
 public:
  /// [control-thread] The clock outlives the engine.
  Engine(const EngineOptions& options, HostClock& clock);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  [[nodiscard]] const EngineOptions& options() const noexcept { return options_; }

  /// [control-thread] Before start(). Returns the source's index.
  std::size_t add_source(const std::string& name, std::shared_ptr<Source> source);
  /// [control-thread] Before start(). Returns the track's index. Throws Failure(invalid_argument)
  /// where a send names no source.
  std::size_t add_track(const std::string& name, std::uint32_t channels,
                        const std::vector<Plan::Send>& sends,
                        std::vector<std::unique_ptr<Filter>> filters);
  /// [control-thread] How many channels these tracks have. Throws Failure(invalid_argument) where
  /// one is none.
  [[nodiscard]] std::vector<std::uint32_t> channels_of(
      const std::vector<std::size_t>& tracks) const;
  /// [control-thread] Adds an output for these tracks, and returns its number in the ledger. Also
  /// while running: the output then begins with the next block. Throws Failure(invalid_argument).
  std::uint32_t add_sink(std::shared_ptr<Sink> sink, const std::vector<std::size_t>& tracks);
  /// [control-thread] The same with a new ring.
  std::shared_ptr<ReaderRing> add_output(const std::vector<std::size_t>& tracks,
                                         std::uint32_t capacity_frames, std::uint32_t& subject);
  /// [control-thread] Takes an output out of the plan.
  void remove_output(const Sink& sink);

  /// [control-thread] Frame 0 is at `origin`. Starts the sources and the pump's thread.
  void start(HostTime origin);
  /// [control-thread] The session will be `end` frames long.
  void set_end(Frames end) noexcept;
  /// [control-thread] Ends the session now: what has been heard so far is still handled. Before
  /// start(): the session will have no frames.
  void finish() noexcept;
  /// [control-thread] Waits for the end; false if it has not come by then. For one thread.
  bool wait_finished(std::chrono::nanoseconds timeout);
  /// [control-thread] Ends at once, without what is still under way.
  void abort() noexcept;

  /// [control-thread] Handles `frames` frames here and now, as fast as the readers take them.
  /// Instead of start(); the sources must be such as produce in poll(). Call it again to go on.
  /// Returns early where `interrupted`, asked now and then while it waits for a reader, says so.
  void run_offline(Frames frames, const std::function<bool()>& interrupted = [] { return false; });
  /// [control-thread] After run_offline(), or beside it, which then returns: ends the outputs and
  /// the ledger.
  void finish_offline() noexcept;

  /// [any-thread, realtime-safe] How far the timeline has come.
  [[nodiscard]] Frames position() const noexcept {
    return position_.load(std::memory_order_acquire);
  }
  [[nodiscard]] bool finished() const noexcept { return finished_.load(std::memory_order_acquire); }
  [[nodiscard]] TimelineAnchor anchor() const noexcept { return anchor_; }
  /// [any-thread, realtime-safe] The longest the pump came late for a block.
  [[nodiscard]] HostTime worst_lateness() const noexcept {
    return HostTime(worst_lateness_.load(std::memory_order_relaxed));
  }
  /// [control-thread] Why the pump has no real-time priority; empty: it has.
  [[nodiscard]] std::string priority_refusal() const;
  /// [control-thread] The present plan.
  [[nodiscard]] std::shared_ptr<const Plan> plan() const;
  /// [control-thread] pop() and open incidents only.
  [[nodiscard]] Ledger& ledger() noexcept { return ledger_; }

 private:
  template <typename Change>
  void edit(const Change& change);
  [[nodiscard]] std::uint32_t free_output_subject(const Plan& plan);
  void start_sources(HostTime origin);
  [[nodiscard]] bool wait_for_readers(const std::function<bool()>& interrupted) const;
  void run();
  [[nodiscard]] const Plan* announce_newest_plan() noexcept;
  void process_block(Frames begin, std::uint32_t frames) noexcept;
  void end_outputs() noexcept;

  static constexpr Frames kNoEnd = std::numeric_limits<Frames>::max();

  EngineOptions options_;
  HostClock& clock_;
  Ledger ledger_;
  TimelineAnchor anchor_;
  mutable std::mutex control_mutex_;                // never taken by the pump
  std::vector<std::shared_ptr<const Plan>> plans_;  // control: those that the pump may still use
  std::atomic<const Plan*> newest_plan_{nullptr};   // control writes, pump reads
  std::atomic<const Plan*> pump_plan_{nullptr};     // pump writes
  std::string priority_refusal_;                    // under control_mutex_
  std::uint32_t next_output_subject_ = 0;           // under control_mutex_
  bool anchored_ = false;                           // under control_mutex_: anchor_ is final

  std::atomic<Frames> position_{0};  // pump writes
  std::atomic<Frames> end_{kNoEnd};
  std::atomic<bool> started_{false};
  std::atomic<bool> abort_{false};
  std::atomic<bool> finished_{false};
  std::atomic<std::int64_t> worst_lateness_{0};
  std::mutex offline_mutex_;  // run_offline() and finish_offline()
  WakeSignal finished_signal_;
  std::thread pump_;
};

}  // namespace pypac
