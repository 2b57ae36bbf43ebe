// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/host_clock.hpp"
#include "core/time.hpp"
#include "engine/graph_spec.hpp"
#include "engine/plan.hpp"
#include "engine/plan_compiler.hpp"
#include "engine/pump.hpp"
#include "plugin/registry.hpp"
#include "sinks/reader_ring.hpp"
#include "timeline/ledger.hpp"

namespace pypac {

struct EngineOptions {
  std::uint32_t sample_rate = 48000;
  std::uint32_t block_frames = 480;     // what the pump handles at once
  std::uint32_t latency_frames = 1920;  // how long it waits for late packets
  std::uint32_t headroom_frames = 0;    // of latency, for filters that come later
  std::uint32_t max_sources = 256;
  std::uint32_t max_outputs = 256;   // at once
  std::uint32_t tracks_at_once = 8;  // that are filtered side by side, at most; sounds the same
};

/// Runs a graph: turns what is wanted into plans for the pump, while it runs.
///
/// Example: 48 kHz, blocks of 480, latency 1920, no filter with latency: frame 0 reaches the
/// outputs 50 ms after the origin.
class Engine {
 public:
  /// Whom a ticket stands for.
  struct Subject {
    SubjectKind kind{};
    std::string id;
  };
  /// How many numbers levels() gives of a source: peak, RMS and highest peak, linear.
  static constexpr std::size_t kSourceLevels = 3;
  /// And of a track: the same, then LoudnessValues.
  static constexpr std::size_t kTrackLevels = 11;
  /// A filter that tells by how much it makes its track quieter.
  struct Reducer {
    std::string track;
    std::string filter;
  };
  struct Reduction {
    std::string filter;
    float db = 0;  // 0 or more, in the last block
  };
  /// Whose levels levels() gives, in their order.
  struct LevelLayout {
    std::vector<std::string> sources;
    std::vector<std::string> tracks;
    std::vector<Reducer> reducers;
  };

  /// [control-thread] Filters and clock outlive the engine.
  Engine(const EngineOptions& options, const FilterRegistry& filters, HostClock& clock);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  [[nodiscard]] const EngineOptions& options() const noexcept { return options_; }

  /// [control-thread] From the next block on these are the sources and tracks; outputs stay. All or
  /// nothing: throws Failure(invalid_argument), and nothing has changed. While it runs what is new
  /// is faded in and what is gone faded out; what stays loses no frame. The first call that has
  /// tracks fixes the session's delay.
  PlanDiff apply(std::vector<SourceSpec> sources, std::vector<TrackSpec> tracks);

  /// [control-thread] Values, heard within a block. Each throws Failure(invalid_argument) for what
  /// is not there or cannot be.
  void set_track_gain(const std::string& track, double gain_db);
  void set_track_muted(const std::string& track, bool muted);
  void set_send_gain(const std::string& track, const std::string& source, double gain_db);
  void set_filter(const std::string& track, const std::string& filter, const std::string& param,
                  const ParamValue& value);
  void set_filter_bypassed(const std::string& track, const std::string& filter, bool bypassed);

  /// [control-thread] Drops what has been faded out, and plans that nothing uses. To be called a
  /// few times a second.
  void collect();

  /// [control-thread] How many channels these tracks have. Throws Failure(invalid_argument) where
  /// one is none.
  [[nodiscard]] std::vector<std::uint32_t> channels_of(
      const std::vector<std::string>& tracks) const;
  /// [control-thread] Adds an output for these tracks, and returns its ticket. Also while running:
  /// the output then begins with the next block. Throws Failure(invalid_argument).
  Ticket add_sink(const std::string& id, std::shared_ptr<Sink> sink,
                  const std::vector<std::string>& tracks);
  /// [control-thread] The same in the place of another one, which gets all blocks before and none
  /// from the first that this one gets, and is finished. Throws Failure(invalid_argument).
  Ticket replace_sink(Sink& old, const std::string& id, std::shared_ptr<Sink> sink,
                      const std::vector<std::string>& tracks);
  /// [control-thread] Takes an output out of the plan.
  void remove_output(const Sink& sink);

  /// [control-thread] Frame 0 is at `origin`. Starts the sources and the pump's thread.
  void start(HostTime origin);
  /// [control-thread] See Pump.
  void set_end(Frames end) noexcept { pump_.set_end(end); }
  void finish() noexcept { pump_.finish(); }
  void abort() noexcept { pump_.abort(); }
  /// [control-thread] Waits for the end; false if it has not come by then. For one thread.
  bool wait_finished(std::chrono::nanoseconds timeout);

  /// [control-thread] Handles `frames` frames here and now, as fast as the readers take them.
  /// Instead of start(); the sources must be such as produce in poll(). Call it again to go on.
  /// Returns early where `interrupted`, asked now and then while it waits for a reader, says so.
  void run_offline(Frames frames, const std::function<bool()>& interrupted = [] { return false; });
  /// [control-thread] After run_offline(), or beside it, which then returns: ends the outputs and
  /// the ledger.
  void finish_offline() noexcept { pump_.finish_offline(); }

  /// [any-thread, realtime-safe] How far the timeline has come.
  [[nodiscard]] Frames position() const noexcept { return pump_.position(); }
  [[nodiscard]] bool finished() const noexcept { return pump_.finished(); }
  [[nodiscard]] TimelineAnchor anchor() const noexcept { return pump_.anchor(); }
  /// [any-thread, realtime-safe] The longest the pump came late for a block.
  [[nodiscard]] HostTime worst_lateness() const noexcept { return pump_.worst_lateness(); }
  /// [control-thread] Why the pump has no real-time priority; empty: it has.
  [[nodiscard]] std::string priority_refusal() const { return pump_.priority_refusal(); }
  /// [control-thread] By how much all tracks are delayed, so that the filters of each have their
  /// time.
  [[nodiscard]] std::uint32_t budget_frames() const;
  /// [control-thread] The present plan.
  [[nodiscard]] std::shared_ptr<const Plan> plan() const;
  /// [control-thread] pop() only.
  [[nodiscard]] Ledger& ledger() noexcept { return ledger_; }
  /// [control-thread] Also of what is no longer in the plan.
  [[nodiscard]] Subject subject_of(Ticket ticket) const;
  /// [control-thread]
  [[nodiscard]] LevelLayout level_layout() const;
  /// [control-thread] Writes kSourceLevels numbers of every source, then kTrackLevels of every
  /// track, then by how many dB each reducer made its last block quieter, as far as there is room.
  /// Returns how many numbers there are.
  std::size_t levels(std::span<float> values) const;
  /// [control-thread] Of the reducers of a track. Throws Failure(invalid_argument).
  [[nodiscard]] std::vector<Reduction> reductions(const std::string& track) const;
  /// [control-thread] Integrated loudness, range, and the highest loudness and true peak begin
  /// anew: of one track, or of all. Throws Failure(invalid_argument).
  void restart_loudness(const std::optional<std::string>& track);

 private:
  template <typename Change>
  PlanDiff edit(const Change& change);
  template <typename Change>
  [[nodiscard]] bool set_live(const std::string& track, const std::string& filter,
                              const std::string& param, const ParamValue& value,
                              const Change& change);
  PlanDiff publish(const GraphSpec& next);
  void wait_for_fades();
  void wait_for_newest_plan() const;
  [[nodiscard]] Ticket ticket_of(const Sink& sink) const;
  void free_plans();
  void start_sources(HostTime origin);
  void start_new_sources(const Plan& plan);
  void stop_sources();
  /// Also one that goes on as silence.
  [[nodiscard]] const Plan::Track& find_track(const std::string& track) const;
  [[nodiscard]] TrackSpec& spec_of(const std::string& track);

  EngineOptions options_;
  Ledger ledger_;
  PlanCompiler compiler_;
  Pump pump_;
  mutable std::mutex control_mutex_;  // never taken by the pump; all below is under it
  GraphSpec spec_;
  std::vector<std::shared_ptr<const Plan>> plans_;  // those that the pump may still use
  std::optional<std::uint32_t> budget_frames_;
  std::unordered_map<Ticket, Subject> subjects_;
  std::set<std::shared_ptr<Source>> started_sources_;
  bool anchored_ = false;  // the pump's anchor is final
};

}  // namespace pypac
