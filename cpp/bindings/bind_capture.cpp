// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bind.hpp"
#include "capture/pipewire/pipewire_capture.hpp"
#include "capture/selector.hpp"
#include "core/status.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace pypac {
namespace {

#ifdef PYPAC_WITH_PIPEWIRE
constexpr bool kWithPipewire = true;
#else
constexpr bool kWithPipewire = false;
#endif

// In the order of the enumerations.
constexpr std::array<const char*, 4> kKinds{"process", "everything_except", "system", "device"};
constexpr std::array<const char*, 3> kPicks{"all", "first", "newest"};
constexpr std::array<const char*, 9> kStates{"not_running", "no_stream", "starting",
                                             "capturing",   "paused",    "muted",
                                             "frozen",      "stalled",   "backend_lost"};

template <typename Enumeration, std::size_t Size>
Enumeration named(const std::array<const char*, Size>& names, const std::string& name,
                  const char* what) {
  const auto at = std::ranges::find(names, name);
  if (at == names.end()) {
    throw Failure(ErrorKind::invalid_argument, std::string("there is no ") + what + " " + name);
  }
  return static_cast<Enumeration>(at - names.begin());
}

Selector make_selector(const std::string& kind, std::vector<std::string> patterns,
                       std::vector<std::string> except, std::vector<Selector> except_sources,
                       const std::string& pick) {
  Selector selector;
  selector.kind = named<SelectorKind>(kKinds, kind, "kind of selector");
  selector.patterns = std::move(patterns);
  selector.except = std::move(except);
  selector.except_sources = std::move(except_sources);
  selector.pick = named<Pick>(kPicks, pick, "pick");
  return selector;
}

std::shared_ptr<PipewireCapture> make_capture(std::string remote, std::uint32_t timeline_rate,
                                              std::uint32_t capacity_frames, bool meter_streams) {
  PipewireOptions options;
  options.remote = std::move(remote);
  options.timeline_rate = timeline_rate;
  options.capacity_frames = capacity_frames;
  options.meter_streams = meter_streams;
  // It waits for the daemon's answer.
  const nb::gil_scoped_release unlocked;
  return std::make_shared<PipewireCapture>(std::move(options));
}

void bind_views(nb::module_& module) {
  nb::class_<PipewireAvailability>(module, "PipewireAvailability",
                                   "Can PipeWire's library be loaded? Says nothing of a daemon.")
      .def_ro("loadable", &PipewireAvailability::loadable)
      .def_ro("version", &PipewireAvailability::version)
      .def_ro("reason", &PipewireAvailability::reason, "Why not; empty: it can.");

  nb::class_<StreamView>(module, "StreamView", "An audio stream or input as a user knows it.")
      .def_ro("serial", &StreamView::serial)
      .def_ro("node_id", &StreamView::node_id)
      .def_ro("pid", &StreamView::pid, "0: unknown.")
      .def_ro("program", &StreamView::program, "File name of the program.")
      .def_ro("application_name", &StreamView::application_name)
      .def_ro("portal_app_id", &StreamView::portal_app_id, "Flatpak's name for it.")
      .def_ro("media_name", &StreamView::media_name)
      .def_ro("node_name", &StreamView::node_name)
      .def_ro("kind", &StreamView::kind, "playback, re_emitter, input or own.")
      .def_ro("state", &StreamView::state, "running, idle, suspended, creating or error.")
      .def_ro("sink", &StreamView::sink, "The device it plays to; empty: none.")
      .def_ro("playing", &StreamView::playing, "Running, and not paused by its program.")
      .def_ro("muted", &StreamView::muted)
      .def_ro("volume", &StreamView::volume, "As sliders show it: 1.0 is 100 %.")
      .def_ro("volume_db", &StreamView::volume_db, "Of the amplitude; -inf at 0.")
      .def_ro("peak_db", &StreamView::peak_db, "dBFS since the last call; NaN: not measured.")
      .def_ro("sample_rate", &StreamView::sample_rate, "The program's own; 0: unknown.")
      .def_ro("channels", &StreamView::channels);

  nb::class_<BoundStream>(module, "BoundStream", "A stream that a source is bound to.")
      .def_ro("serial", &BoundStream::serial)
      .def_ro("node_id", &BoundStream::node_id)
      .def_ro("pid", &BoundStream::pid, "0: unknown.")
      .def_ro("program", &BoundStream::program)
      .def_ro("application_name", &BoundStream::application_name)
      .def_ro("state", &BoundStream::state, "running, idle, suspended, creating or error.")
      .def_ro("muted", &BoundStream::muted)
      .def_ro("frozen", &BoundStream::frozen);

  nb::class_<SourceStatus>(module, "CaptureStatus", "What a source is bound to, and how it is.")
      .def_ro("name", &SourceStatus::name)
      .def_prop_ro(
          "state",
          [](const SourceStatus& self) { return kStates[static_cast<std::size_t>(self.state)]; },
          "not_running, no_stream, starting, capturing, paused, muted, frozen, stalled or "
          "backend_lost.")
      .def_ro("reason", &SourceStatus::reason, "The same in a plain sentence.")
      .def_ro("streams", &SourceStatus::streams)
      .def_ro("pids", &SourceStatus::pids, "Running programs that match, with audio or not.")
      .def_ro("packets", &SourceStatus::packets, "Pushed since the start.");

  nb::class_<PipewireServer>(module, "PipewireServer", "The audio graph.")
      .def_ro("connected", &PipewireServer::connected)
      .def_ro("library_version", &PipewireServer::library_version)
      .def_ro("server_version", &PipewireServer::server_version)
      .def_ro("default_sink", &PipewireServer::default_sink)
      .def_ro("default_source", &PipewireServer::default_source)
      .def_ro("driver", &PipewireServer::driver, "The node whose clock drives the graph.")
      .def_ro("quantum", &PipewireServer::quantum, "Frames in a cycle; 0: no cycle yet.")
      .def_ro("rate", &PipewireServer::rate)
      .def_ro("cycles", &PipewireServer::cycles)
      .def_ro("lost_cycles", &PipewireServer::lost_cycles, "That the graph ran without us.")
      .def_ro("reconnects", &PipewireServer::reconnects)
      .def_ro("realtime", &PipewireServer::realtime, "The capture thread has real-time priority.")
      .def_ro("realtime_priority", &PipewireServer::realtime_priority)
      .def_ro("realtime_refusal", &PipewireServer::realtime_refusal, "Why not; empty: it has.")
      .def_ro("frozen_programs", &PipewireServer::frozen_programs, "That hold the graph up now.");
}

}  // namespace

void bind_capture(nb::module_& module) {
  using Unlocked = nb::call_guard<nb::gil_scoped_release>;

  module.attr("WITH_PIPEWIRE") = kWithPipewire;
  module.def("pipewire_availability", &PipewireCapture::probe, Unlocked(),
             "Tries to load PipeWire's library.");
  module.def("name_matches", &name_matches, "pattern"_a, "name"_a,
             "True if a profile's pattern (a name or a glob) names this program.");

  nb::class_<Selector>(module, "Selector", "What a source captures: a rule, never an id.")
      .def(nb::new_(&make_selector), nb::kw_only(), "kind"_a = "process",
           "patterns"_a = std::vector<std::string>{}, "except_"_a = std::vector<std::string>{},
           "except_sources"_a = std::vector<Selector>{}, "pick"_a = "all",
           "kind is process, everything_except, system or device; pick is all, first or newest.");

  bind_views(module);

  nb::class_<PipewireCapture>(module, "PipewireCapture",
                              "Captures programs and inputs from PipeWire, all on one clock.")
      .def(nb::new_(&make_capture), nb::kw_only(), "remote"_a = "", "timeline_rate"_a = 48000,
           "capacity_frames"_a = 48000, "meter_streams"_a = false,
           "Connects; remote is a socket's name or path. Raises BackendUnavailable, "
           "PermissionDenied or Unsupported.")
      .def("add_source", &PipewireCapture::add_source, "name"_a, "selector"_a, "channels"_a = 2,
           Unlocked(), "Also while running.")
      .def(
          "wait_until_running",
          [](PipewireCapture& self, double timeout_s) {
            return self.wait_until_running(std::chrono::duration_cast<std::chrono::milliseconds>(
                std::chrono::duration<double>(timeout_s)));
          },
          "timeout_s"_a, Unlocked(),
          "Until the graph runs and all that is there is linked; False: out of time.")
      .def("streams", &PipewireCapture::streams, Unlocked(), "Every stream and input, by serial.")
      .def_prop_ro("source_count", &PipewireCapture::source_count)
      .def("source_status", &PipewireCapture::source_status, "index"_a, Unlocked())
      .def("preview", &PipewireCapture::preview, "selector"_a, Unlocked(),
           "What the selector would bind to now.")
      .def("server_info", &PipewireCapture::server_info, Unlocked())
      .def("stop", &PipewireCapture::stop, Unlocked(), "No frames after this. Final.");
}

}  // namespace pypac
