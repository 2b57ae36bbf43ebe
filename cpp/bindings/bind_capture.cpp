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
#include "capture/capture_backend.hpp"
#include "capture/pipewire/pipewire_capture.hpp"
#include "capture/selector.hpp"
#include "capture/wasapi/endpoint_format.hpp"
#include "capture/wasapi/loopback_probe.hpp"
#include "capture/wasapi/tone_player.hpp"
#include "capture/wasapi/wasapi_capture.hpp"
#include "core/status.hpp"
#include "core/text_pattern.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace pypac {
namespace {

#ifdef PYPAC_WITH_PIPEWIRE
constexpr bool kWithPipewire = true;
#else
constexpr bool kWithPipewire = false;
#endif
#ifdef PYPAC_WITH_WASAPI
constexpr bool kWithWasapi = true;
#else
constexpr bool kWithWasapi = false;
#endif

// In the order of the enumerations.
constexpr std::array<const char*, 4> kKinds{"process", "everything_except", "system", "device"};
constexpr std::array<const char*, 3> kPicks{"all", "first", "newest"};
constexpr std::array<const char*, 11> kStates{
    "not_running", "no_stream", "starting", "capturing", "paused",      "muted",
    "frozen",      "blind_tap", "refused",  "stalled",   "backend_lost"};

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
                       const std::string& pick, std::vector<std::uint32_t> channels) {
  Selector selector;
  selector.kind = named<SelectorKind>(kKinds, kind, "kind of selector");
  selector.patterns = std::move(patterns);
  selector.except = std::move(except);
  selector.except_sources = std::move(except_sources);
  selector.pick = named<Pick>(kPicks, pick, "pick");
  selector.channels = std::move(channels);
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

std::shared_ptr<WasapiCapture> make_wasapi_capture(std::uint32_t timeline_rate,
                                                   std::uint32_t capacity_frames,
                                                   bool meter_streams) {
  WasapiOptions options;
  options.timeline_rate = timeline_rate;
  options.capacity_frames = capacity_frames;
  options.meter_streams = meter_streams;
  const nb::gil_scoped_release unlocked;
  return std::make_shared<WasapiCapture>(options);
}

void bind_backend(nb::module_& module) {
  using Unlocked = nb::call_guard<nb::gil_scoped_release>;
  nb::class_<CaptureBackend>(module, "CaptureBackend",
                             "What the captures from all audio systems can do.")
      .def("add_source", &CaptureBackend::add_source, "name"_a, "selector"_a, "channels"_a = 2,
           Unlocked(), "Also while running. Raises ValueError where there is one of that name.")
      .def("remove_source", &CaptureBackend::remove_source, "name"_a, Unlocked(),
           "Also while running: the source gets no more frames, and no other one loses any.")
      .def(
          "wait_until_running",
          [](CaptureBackend& self, double timeout_s) {
            return self.wait_until_running(std::chrono::duration_cast<std::chrono::milliseconds>(
                std::chrono::duration<double>(timeout_s)));
          },
          "timeout_s"_a, Unlocked(),
          "Until all that is there to be captured is; False: out of time.")
      .def("streams", &CaptureBackend::streams, Unlocked(), "Every stream and input, by serial.")
      .def("source_status", &CaptureBackend::source_status, "name"_a, Unlocked())
      .def("preview", &CaptureBackend::preview, "selectors"_a, Unlocked(),
           "What each of these sources of one session would bind to now.")
      .def("stop", &CaptureBackend::stop, Unlocked(), "No frames after this. Final.");
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
      .def_ro("description", &StreamView::description, "Of an input: its name for people.")
      .def_ro("kind", &StreamView::kind, "playback, re_emitter, input or own.")
      .def_ro("state", &StreamView::state, "running, idle, suspended, creating or error.")
      .def_ro("sink", &StreamView::sink, "The device it plays to; empty: none.")
      .def_ro("playing", &StreamView::playing, "Running, and not paused by its program.")
      .def_ro("muted", &StreamView::muted)
      .def_ro("silence", &StreamView::silence,
              "Of playback: why nothing is heard, in a sentence; empty: it plays.")
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
      .def_ro("frozen", &BoundStream::frozen)
      .def_ro("devices", &BoundStream::devices, "Windows: all that it plays to, sorted.")
      .def_ro("inputs", &BoundStream::inputs, "How many a device has; 0: unknown.")
      .def_ro("taken", &BoundStream::taken, "Which of these, from 1; empty: all, by position.")
      .def_ro("claim", &BoundStream::claim,
              "What it only calls itself, and is bound for; empty: for who it is.")
      .def_ro("ancestor", &BoundStream::ancestor,
              "The program that has started it, and is what the source names; empty: itself is.");

  nb::class_<LeftOut>(module, "LeftOut", "A program that everything_except unexpectedly lacks.")
      .def_ro("pid", &LeftOut::pid, "0: unknown.")
      .def_ro("program", &LeftOut::program)
      .def_ro("claim", &LeftOut::claim,
              "What it only calls itself, and is left out for; empty: nobody knows who it is.");

  nb::class_<SourceStatus>(module, "CaptureStatus", "What a source is bound to, and how it is.")
      .def_ro("name", &SourceStatus::name)
      .def_prop_ro(
          "state",
          [](const SourceStatus& self) { return kStates[static_cast<std::size_t>(self.state)]; },
          "not_running, no_stream, starting, capturing, paused, muted, frozen, blind_tap, refused, "
          "stalled or backend_lost.")
      .def_ro("reason", &SourceStatus::reason, "The same in a plain sentence.")
      .def_ro("streams", &SourceStatus::streams)
      .def_ro("pids", &SourceStatus::pids, "Running programs that match, with audio or not.")
      .def_ro("left_out", &SourceStatus::left_out, "What everything_except unexpectedly lacks.")
      .def_ro("packets", &SourceStatus::packets, "Pushed since the start.");

  nb::class_<WasapiAvailability>(module, "WasapiAvailability",
                                 "Can this Windows capture single programs?")
      .def_ro("loadable", &WasapiAvailability::loadable)
      .def_ro("version", &WasapiAvailability::version, "Of Windows.")
      .def_ro("reason", &WasapiAvailability::reason, "Why not; empty: it can.");

  nb::class_<WasapiServer>(module, "WasapiServer", "Windows' audio engine.")
      .def_ro("connected", &WasapiServer::connected,
              "The audio service answers; False until it has.")
      .def_ro("failure", &WasapiServer::failure, "Why not; empty: it answers.")
      .def_ro("build", &WasapiServer::build, "Of Windows.")
      .def_ro("default_sink", &WasapiServer::default_sink)
      .def_ro("default_source", &WasapiServer::default_source)
      .def_ro("quantum", &WasapiServer::quantum, "Frames in a packet; 0: none came yet.")
      .def_ro("rate", &WasapiServer::rate, "0: no packet came yet.")
      .def_ro("clients", &WasapiServer::clients, "Captures that are open.")
      .def_ro("disbelieved", &WasapiServer::disbelieved, "Packets with stamps that cannot be.")
      .def_ro("own_clock", &WasapiServer::own_clock, "Stamps of a capture are lastingly wrong.")
      .def_ro("realtime", &WasapiServer::realtime, "The capture threads have MMCSS's priority.")
      .def_ro("realtime_refusal", &WasapiServer::realtime_refusal, "Why not; empty: they have.");

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

/// What `doctor --report` measures Windows with.
void bind_measuring(nb::module_& module) {
  using Unlocked = nb::call_guard<nb::gil_scoped_release>;

  nb::class_<PacketRecord>(module, "LoopbackPacket", "One packet as Windows handed it over.")
      .def_ro("frames", &PacketRecord::frames)
      .def_prop_ro(
          "stamp_ns", [](const PacketRecord& self) { return self.qpc_100ns * 100; },
          "QPC when its first frame was heard, as Windows says.")
      .def_prop_ro(
          "received_ns", [](const PacketRecord& self) { return self.received.count(); },
          "QPC when it was handed over.")
      .def_ro("silent", &PacketRecord::silent, "Windows called it silent.")
      .def_ro("discontinuity", &PacketRecord::discontinuity)
      .def_ro("timestamp_error", &PacketRecord::timestamp_error)
      .def_ro("peak", &PacketRecord::peak, "Amplitude.");

  nb::class_<LoopbackProbe>(module, "LoopbackProbe",
                            "A capture of one process and what it starts, to be looked at.")
      .def(nb::init<std::int64_t>(), "pid"_a, Unlocked(),
           "Begins to open it. Raises Unsupported or BackendUnavailable.")
      .def(
          "wait_until_tried",
          [](LoopbackProbe& self, double timeout_s) {
            return self.wait_until_tried(std::chrono::duration_cast<std::chrono::milliseconds>(
                std::chrono::duration<double>(timeout_s)));
          },
          "timeout_s"_a, Unlocked(), "Until it is open, or could not be; False: out of time.")
      .def_prop_ro("is_open", &LoopbackProbe::is_open)
      .def_prop_ro("opened", &LoopbackProbe::opened, "How often.")
      .def_prop_ro("failure", &LoopbackProbe::failure, "Step and HRESULT; empty: none.")
      .def_prop_ro("lost", &LoopbackProbe::lost, "Packets that were not taken in time.")
      .def("take", &LoopbackProbe::take, "The packets since the last call.")
      .def("stop", &LoopbackProbe::stop, Unlocked(), "Final.");

  nb::class_<TonePlayer>(module, "TonePlayer", "Plays to the default output, to be captured.")
      .def(nb::init<float>(), "amplitude"_a, Unlocked(),
           "A tone of 440 Hz; 0: zeros. Raises Unsupported or BackendUnavailable.")
      .def("stop", &TonePlayer::stop, Unlocked(), "Final.");

  nb::class_<EndpointFormat>(module, "EndpointFormat", "Of a default output or input.")
      .def_ro("input", &EndpointFormat::input)
      .def_ro("rate", &EndpointFormat::rate)
      .def_ro("channels", &EndpointFormat::channels)
      .def_ro("bits", &EndpointFormat::bits)
      .def_prop_ro("period_ms", [](const EndpointFormat& self) { return 1e-4 * self.period_100ns; })
      .def_prop_ro("least_period_ms",
                   [](const EndpointFormat& self) { return 1e-4 * self.least_period_100ns; })
      .def_ro("error", &EndpointFormat::error, "HRESULT; 0: all is known.")
      .def_ro("refusal", &EndpointFormat::refusal,
              "Of inputs: why it cannot be opened; empty: it can.")
      .def_ro("remedy", &EndpointFormat::remedy, "What the user can do then; empty: not known.");
  module.def(
      "default_endpoint_formats",
      [](double timeout_s) {
        return default_endpoint_formats(std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::duration<double>(timeout_s)));
      },
      "timeout_s"_a, Unlocked(),
      "Of Windows' default output and input, so far as there are any. Raises BackendUnavailable "
      "where they are not told in time.");
}

}  // namespace

void bind_capture(nb::module_& module) {
  using Unlocked = nb::call_guard<nb::gil_scoped_release>;

  module.attr("WITH_PIPEWIRE") = kWithPipewire;
  module.attr("WITH_WASAPI") = kWithWasapi;
  module.def("wasapi_availability", &WasapiCapture::probe, Unlocked(),
             "Is this a Windows that can capture single programs?");
  module.def("pipewire_availability", &PipewireCapture::probe, Unlocked(),
             "Tries to load PipeWire's library.");
  module.def("name_matches", &name_matches, "pattern"_a, "name"_a,
             "True if a profile's pattern (a name, possibly with * and ?) names this program.");
  module.def("text_matches", &text_matches, "pattern"_a, "text"_a,
             "True if the pattern (* and ?) means the whole text, whatever the case.");

  nb::class_<Selector>(module, "Selector", "What a source captures: a rule, never an id.")
      .def(nb::new_(&make_selector), nb::kw_only(), "kind"_a = "process",
           "patterns"_a = std::vector<std::string>{}, "except_"_a = std::vector<std::string>{},
           "except_sources"_a = std::vector<Selector>{}, "pick"_a = "all",
           "channels"_a = std::vector<std::uint32_t>{},
           "kind is process, everything_except, system or device; pick is all, first or newest; "
           "channels are a device's inputs, from 1.");

  bind_views(module);
  bind_measuring(module);
  bind_backend(module);

  nb::class_<PipewireCapture, CaptureBackend>(
      module, "PipewireCapture", "Captures programs and inputs from PipeWire, all on one clock.")
      .def(nb::new_(&make_capture), nb::kw_only(), "remote"_a = "", "timeline_rate"_a = 48000,
           "capacity_frames"_a = 48000, "meter_streams"_a = false,
           "Connects; remote is a socket's name or path. Raises BackendUnavailable, "
           "PermissionDenied or Unsupported.")
      .def("server_info", &PipewireCapture::server_info, Unlocked());

  nb::class_<WasapiCapture, CaptureBackend>(
      module, "WasapiCapture", "Captures programs and inputs from Windows, each by a client.")
      .def(nb::new_(&make_wasapi_capture), nb::kw_only(), "timeline_rate"_a = 48000,
           "capacity_frames"_a = 48000, "meter_streams"_a = false,
           "Raises BackendUnavailable or Unsupported.")
      .def("server_info", &WasapiCapture::server_info, Unlocked());
}

}  // namespace pypac
