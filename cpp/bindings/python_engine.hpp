// SPDX-License-Identifier: MIT
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/cause_names.hpp"
#include "core/host_clock.hpp"
#include "core/status.hpp"
#include "engine/engine.hpp"
#include "filters/builtin_filters.hpp"
#include "host/lane.hpp"
#include "plugin/registry.hpp"
#include "timeline/clock_domain.hpp"

namespace pypac {

struct Level {
  float peak;
  float rms;
  float max_peak;
  Frames silent_frames;
};

inline Level level_of(const Meter& meter) {
  return {meter.peak(), meter.rms(), meter.max_peak(), meter.silent_frames()};
}

struct SourceProgress {
  std::string name;
  Frames captured_frames;
  Frames late_frames;
  double drift_ppm;
  bool locked;
  std::string absence;
  Level level;
};

struct TrackProgress {
  Level level;
  LoudnessValues loudness;
  std::vector<Engine::Reduction> reductions;
};

struct NamedIncident {
  std::string cause;
  std::string kind;
  std::string subject;
  Frames begin;
  Frames frames;
};

inline const char* name_of(SubjectKind kind) {
  switch (kind) {
    case SubjectKind::source:
      return "source";
    case SubjectKind::track:
      return "track";
    case SubjectKind::output:
      break;
  }
  return "output";
}

/// The engine on the system's clock, and the words that Python uses for it.
class PythonEngine {
 public:
  PythonEngine(std::uint32_t sample_rate, std::uint32_t block_frames, std::uint32_t latency_frames,
               std::uint32_t headroom_frames)
      : engine_(EngineOptions{sample_rate, block_frames, latency_frames, headroom_frames}, filters_,
                clock_) {
    add_builtin_filters(filters_);
  }

  /// Makes filters of a kind known whose work other processes do.
  void add_lane_filter(PluginInfo described, std::uint32_t latency_frames) {
    auto info = std::make_shared<const PluginInfo>(std::move(described));
    filters_.put([this, info, latency_frames] {
      const auto on_lane = [this](std::shared_ptr<Lane> lane) {
        const std::lock_guard lock(lanes_mutex_);
        new_lanes_.push_back(std::move(lane));
      };
      return std::make_unique<LaneFilter>(info, on_lane, latency_frames);
    });
  }

  /// The lanes of filters that were made since the last call.
  std::vector<std::shared_ptr<Lane>> take_lanes() {
    const std::lock_guard lock(lanes_mutex_);
    return std::exchange(new_lanes_, {});
  }

  Engine& engine() { return engine_; }
  const HostClock& clock() const { return clock_; }

  std::vector<NamedIncident> pop_incidents() {
    const std::lock_guard one_reader(pop_mutex_);
    std::vector<NamedIncident> incidents;
    while (const std::optional<Incident> incident = engine_.ledger().pop())
      incidents.push_back(named(*incident));
    return incidents;
  }

  std::vector<NamedIncident> open_incidents() {
    std::vector<NamedIncident> incidents;
    const auto add = [&](const LedgerAccount& account) {
      if (const auto incident = account.open()) incidents.push_back(named(*incident));
    };
    const std::shared_ptr<const Plan> plan = engine_.plan();
    for (const auto& source : plan->sources) add(source->account());
    for (const Plan::Track& track : plan->tracks) add(track.node->account());
    return incidents;
  }

  std::map<std::string, std::pair<std::uint64_t, Frames>> unlisted_incidents() {
    std::map<std::string, std::pair<std::uint64_t, Frames>> causes;
    for (std::size_t i = 0; i < kCauseNames.size(); ++i) {
      const Ledger::Unlisted unlisted = engine_.ledger().unlisted(static_cast<Cause>(i));
      if (unlisted.incidents > 0) causes[kCauseNames[i]] = {unlisted.incidents, unlisted.frames};
    }
    return causes;
  }

  SourceProgress source_progress(const std::string& id) {
    const auto node = engine_.plan()->source(id);
    if (!node) throw Failure(ErrorKind::invalid_argument, "there is no source " + id);
    return {node->id(),
            node->captured_frames(),
            node->late_frames(),
            node->domain().drift_ppm(),
            node->domain().locked(),
            name_of(node->source()->absence()),
            level_of(node->meter())};
  }

  TrackProgress track_progress(const std::string& id) {
    const std::shared_ptr<const Plan> plan = engine_.plan();
    const Plan::Track* const track = plan->track(id);
    if (!track) throw Failure(ErrorKind::invalid_argument, "there is no track " + id);
    return {level_of(track->node->meter()), track->node->loudness().values(),
            engine_.reductions(id)};
  }

  std::size_t levels(
      nanobind::ndarray<float, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>
          values) {
    return engine_.levels({values.data(), values.shape(0)});
  }

 private:
  NamedIncident named(const Incident& incident) {
    const Engine::Subject subject = engine_.subject_of(incident.ticket);
    return {pypac::name_of(incident.cause), name_of(subject.kind), subject.id, incident.begin,
            incident.frames};
  }

  SystemClock clock_;
  FilterRegistry filters_;
  std::mutex lanes_mutex_;
  std::vector<std::shared_ptr<Lane>> new_lanes_;
  std::mutex pop_mutex_;  // the ledger's list has one reader; taken without Python
  Engine engine_;         // the last, so that it ends first
};

[[nodiscard]] inline std::chrono::nanoseconds nanoseconds_of(double seconds) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

}  // namespace pypac
