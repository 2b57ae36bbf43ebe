// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bind.hpp"
#include "bindings/python_engine.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace pypac {
namespace {

using NamedSources = std::vector<std::pair<std::string, std::shared_ptr<Source>>>;

PlanDiff apply(PythonEngine& self, const NamedSources& named, std::vector<TrackSpec> tracks) {
  std::vector<SourceSpec> sources;
  for (const auto& [id, source] : named) sources.push_back({id, source});
  return self.engine().apply(std::move(sources), std::move(tracks));
}

void bind_specs(nb::module_& module) {
  nb::class_<SendSpec>(module, "SendSpec", "A source's way into a track.")
      .def(nb::init<std::string, double>(), "source"_a, "gain_db"_a = 0.0);
  nb::class_<FilterSpec>(module, "FilterSpec", "A filter; its id is unique in its track.")
      .def(nb::init<std::string, std::string, ParamValues, bool>(), "id"_a, "kind"_a, "params"_a,
           "bypassed"_a = false);
  nb::class_<TrackSpec>(module, "TrackSpec", "A track as it shall be.")
      .def(nb::init<std::string, std::uint32_t, double, bool, std::vector<SendSpec>,
                    std::vector<FilterSpec>>(),
           "id"_a, "channels"_a = 2, "gain_db"_a = 0.0, "muted"_a = false,
           "sends"_a = std::vector<SendSpec>{}, "filters"_a = std::vector<FilterSpec>{});
  nb::class_<PlanDiff>(module, "PlanDiff", "What a new graph changes, by names.")
      .def_ro("added_sources", &PlanDiff::added_sources)
      .def_ro("removed_sources", &PlanDiff::removed_sources)
      .def_ro("added_tracks", &PlanDiff::added_tracks)
      .def_ro("removed_tracks", &PlanDiff::removed_tracks)
      .def_ro("changed_tracks", &PlanDiff::changed_tracks, "Other sends or filters.");
}

}  // namespace

// What waits for the engine's lock lets go of Python first: whoever has the lock may be about to
// free a source, which takes Python.
void bind_engine(nb::module_& module) {
  using Unlocked = nb::call_guard<nb::gil_scoped_release>;

  bind_specs(module);

  nb::class_<Level>(module, "Level", "Peak and RMS (linear, 1 is 0 dBFS) over all channels.")
      .def_ro("peak", &Level::peak)
      .def_ro("rms", &Level::rms)
      .def_ro("max_peak", &Level::max_peak, "The highest since the start.")
      .def_ro("silent_frames", &Level::silent_frames, "Frames since the last that was not zero.");

  module.attr("LEVELS_OF_SOURCE") = Engine::kSourceLevels;
  module.attr("LEVELS_OF_TRACK") = Engine::kTrackLevels;

  nb::class_<LoudnessValues>(
      module, "Loudness",
      "True peak, and loudness in LUFS (EBU R 128); minus infinity where there is none yet.")
      .def_ro("true_peak", &LoudnessValues::true_peak, "Linear, 1 is 0 dBTP.")
      .def_ro("max_true_peak", &LoudnessValues::max_true_peak, "Since the start or restart.")
      .def_ro("momentary", &LoudnessValues::momentary, "Of the last 400 ms.")
      .def_ro("short_term", &LoudnessValues::short_term, "Of the last 3 s.")
      .def_ro("integrated", &LoudnessValues::integrated, "Since the start or restart, gated.")
      .def_ro("range", &LoudnessValues::range, "LU, since the start or restart.")
      .def_ro("max_momentary", &LoudnessValues::max_momentary)
      .def_ro("max_short_term", &LoudnessValues::max_short_term);

  nb::class_<Engine::Reduction>(module, "Reduction", "By how much a filter makes a track quieter.")
      .def_ro("filter", &Engine::Reduction::filter, "Its name.")
      .def_ro("db", &Engine::Reduction::db, "0 or more, in the last block.");

  nb::class_<TrackProgress>(module, "TrackProgress", "A track as the engine sees it.")
      .def_ro("level", &TrackProgress::level)
      .def_ro("loudness", &TrackProgress::loudness)
      .def_ro("reductions", &TrackProgress::reductions);

  nb::class_<Engine::Reducer>(module, "Reducer", "A filter that makes a track quieter.")
      .def_ro("track", &Engine::Reducer::track)
      .def_ro("filter", &Engine::Reducer::filter);

  nb::class_<Engine::LevelLayout>(module, "LevelLayout", "Whose levels there are, in their order.")
      .def_ro("sources", &Engine::LevelLayout::sources)
      .def_ro("tracks", &Engine::LevelLayout::tracks)
      .def_ro("reducers", &Engine::LevelLayout::reducers);

  nb::class_<SourceProgress>(module, "SourceProgress", "A source as the engine sees it.")
      .def_ro("name", &SourceProgress::name)
      .def_ro("captured_frames", &SourceProgress::captured_frames)
      .def_ro("late_frames", &SourceProgress::late_frames, "Came too late and were dropped.")
      .def_ro("drift_ppm", &SourceProgress::drift_ppm, "Its clock against host time.")
      .def_ro("locked", &SourceProgress::locked, "True while its frames pass bit for bit.")
      .def_ro("absence", &SourceProgress::absence, "Why no frames come, if none come.")
      .def_ro("level", &SourceProgress::level);

  nb::class_<NamedIncident>(module, "NamedIncident", "An entry of the ledger.")
      .def_ro("cause", &NamedIncident::cause)
      .def_ro("kind", &NamedIncident::kind, "Of the subject: source, track or output.")
      .def_ro("subject", &NamedIncident::subject, "Its name.")
      .def_ro("begin", &NamedIncident::begin)
      .def_ro("frames", &NamedIncident::frames);

  nb::class_<PythonEngine>(module, "Engine", "Advances the timeline, block by block.")
      .def(nb::init<std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>(), nb::kw_only(),
           "sample_rate"_a, "block_frames"_a, "latency_frames"_a, "headroom_frames"_a = 0)
      .def("apply", &apply, "sources"_a, "tracks"_a, Unlocked(),
           "From the next block on these are the sources (by name) and tracks; all or nothing.")
      .def(
          "set_track_gain",
          [](PythonEngine& self, const std::string& track, double gain_db) {
            self.engine().set_track_gain(track, gain_db);
          },
          "track"_a, "gain_db"_a, Unlocked())
      .def(
          "set_track_muted",
          [](PythonEngine& self, const std::string& track, bool muted) {
            self.engine().set_track_muted(track, muted);
          },
          "track"_a, "muted"_a, Unlocked())
      .def(
          "set_send_gain",
          [](PythonEngine& self, const std::string& track, const std::string& source,
             double gain_db) { self.engine().set_send_gain(track, source, gain_db); },
          "track"_a, "source"_a, "gain_db"_a, Unlocked())
      .def(
          "set_filter",
          [](PythonEngine& self, const std::string& track, const std::string& filter,
             const std::string& param,
             const ParamValue& value) { self.engine().set_filter(track, filter, param, value); },
          "track"_a, "filter"_a, "param"_a, "value"_a, Unlocked())
      .def(
          "set_filter_bypassed",
          [](PythonEngine& self, const std::string& track, const std::string& filter,
             bool bypassed) { self.engine().set_filter_bypassed(track, filter, bypassed); },
          "track"_a, "filter"_a, "bypassed"_a, Unlocked())
      .def(
          "add_lane_filter",
          [](PythonEngine& self, std::string kind, std::vector<ParamInfo> params,
             std::uint32_t latency_frames) {
            self.add_lane_filter(PluginInfo{.kind = std::move(kind), .params = std::move(params)},
                                 latency_frames);
          },
          "kind"_a, "params"_a, "latency_frames"_a = 0, Unlocked(),
          "Makes filters of a kind known that run in processes; with their own latency there.")
      .def("take_lanes", &PythonEngine::take_lanes, Unlocked(),
           "The lanes of filters that were made since the last call.")
      .def(
          "collect", [](PythonEngine& self) { self.engine().collect(); }, Unlocked(),
          "Frees what has been faded out; to be called a few times a second.")
      .def_prop_ro(
          "budget_frames", [](PythonEngine& self) { return self.engine().budget_frames(); },
          Unlocked(), "By how much all tracks are delayed for their filters.")
      .def(
          "level_layout", [](PythonEngine& self) { return self.engine().level_layout(); },
          Unlocked(), "Whose levels levels() writes, in their order.")
      .def("levels", &PythonEngine::levels, "values"_a, Unlocked(),
           nb::sig("def levels(self, values: numpy.typing.NDArray[numpy.float32]) -> int"),
           "Writes LEVELS_OF_SOURCE numbers of each source (peak, RMS and highest peak, linear), "
           "LEVELS_OF_TRACK of each track (the same, then the fields of Loudness), and the dB of "
           "each reducer; gives how many numbers there are.")
      .def(
          "restart_loudness",
          [](PythonEngine& self, const std::optional<std::string>& track) {
            self.engine().restart_loudness(track);
          },
          "track"_a.none() = nb::none(), Unlocked(),
          "Integrated loudness, range and maxima begin anew: of one track, or of all.")
      .def(
          "start",
          [](PythonEngine& self, std::int64_t origin_ns) {
            self.engine().start(HostTime(origin_ns));
          },
          "origin_ns"_a, Unlocked(), "Frame 0 is heard at this host time.")
      .def(
          "set_end", [](PythonEngine& self, Frames end) { self.engine().set_end(end); }, "end"_a,
          "The session will be this many frames long.")
      .def(
          "finish", [](PythonEngine& self) { self.engine().finish(); }, "Ends the session now.")
      .def(
          "wait_finished",
          [](PythonEngine& self, double timeout_s) {
            return self.engine().wait_finished(nanoseconds_of(timeout_s));
          },
          "timeout_s"_a, Unlocked(), "False if the end has not come by then.")
      .def(
          "abort", [](PythonEngine& self) { self.engine().abort(); },
          "Ends at once, without the frames that are still under way.")
      .def(
          "run_offline",
          [](PythonEngine& self, Frames frames) {
            bool raised = false;
            self.engine().run_offline(frames, [&] {
              const nb::gil_scoped_acquire python;
              raised = PyErr_CheckSignals() != 0;
              return raised;
            });
            if (raised) {
              const nb::gil_scoped_acquire python;
              throw nb::python_error();
            }
          },
          "frames"_a, Unlocked(), "Handles that many frames as fast as the readers take them.")
      .def(
          "finish_offline", [](PythonEngine& self) { self.engine().finish_offline(); }, Unlocked(),
          "Ends what run_offline() began.")
      .def_prop_ro("position", [](PythonEngine& self) { return self.engine().position(); })
      .def_prop_ro("finished", [](PythonEngine& self) { return self.engine().finished(); })
      .def_prop_ro(
          "worst_lateness_ns",
          [](PythonEngine& self) { return self.engine().worst_lateness().count(); },
          "The longest the pump came late for a block.")
      .def_prop_ro(
          "priority_refusal", [](PythonEngine& self) { return self.engine().priority_refusal(); },
          "Why the pump has no real-time priority; empty: it has.")
      .def("source_progress", &PythonEngine::source_progress, "source"_a, Unlocked())
      .def("track_progress", &PythonEngine::track_progress, "track"_a, Unlocked())
      .def("pop_incidents", &PythonEngine::pop_incidents, Unlocked(),
           "Those that have ended since the last call.")
      .def("open_incidents", &PythonEngine::open_incidents, Unlocked(),
           "Those that sources and tracks are in now, as long as they are so far.")
      .def("unlisted_incidents", &PythonEngine::unlisted_incidents, Unlocked(),
           "Incidents and frames of each cause that the full list refused so far.");
}

}  // namespace pypac
