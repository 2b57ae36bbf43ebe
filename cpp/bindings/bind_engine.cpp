// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bind.hpp"
#include "bindings/cause_names.hpp"
#include "bindings/hex.hpp"
#include "capture/synthetic/synthetic_source.hpp"
#include "core/decibels.hpp"
#include "core/host_clock.hpp"
#include "core/status.hpp"
#include "engine/engine.hpp"
#include "filters/builtin_filters.hpp"
#include "sinks/pipewire/virtual_sources.hpp"
#include "sinks/playout.hpp"
#include "sinks/shared_tracks.hpp"
#include "sinks/virtual_source_name.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace pypac {
namespace {

const FilterRegistry& filters() {
  static const FilterRegistry registry = [] {
    FilterRegistry all;
    add_builtin_filters(all);
    return all;
  }();
  return registry;
}

struct Level {
  float peak;
  float rms;
  float max_peak;
  Frames silent_frames;
};

Level level_of(const Meter& meter) {
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

struct RawIncident {
  std::string cause;
  bool of_output;
  std::uint32_t subject;
  Frames begin;
  Frames frames;
};

RawIncident raw(const Incident& incident) {
  return {name_of(incident.cause), incident.subject_kind == SubjectKind::output, incident.subject,
          incident.begin, incident.frames};
}

/// The engine on the system's clock, and the words that Python uses for it.
class PythonEngine {
 public:
  PythonEngine(std::uint32_t sample_rate, std::uint32_t block_frames, std::uint32_t latency_frames)
      : engine_(EngineOptions{sample_rate, block_frames, latency_frames}, clock_) {}

  Engine& engine() { return engine_; }
  const HostClock& clock() const { return clock_; }

  std::size_t add_track(
      const std::string& name, std::uint32_t channels,
      const std::vector<std::pair<std::size_t, double>>& sends,
      const std::vector<std::pair<std::string, std::map<std::string, double>>>& chain) {
    std::vector<Plan::Send> linear;
    for (const auto& [source, gain_db] : sends)
      linear.push_back({source, static_cast<float>(linear_from_db(gain_db))});
    std::vector<std::unique_ptr<Filter>> made;
    for (const auto& [kind, parameters] : chain) {
      made.push_back(filters().create(kind));
      for (const auto& [parameter, value] : parameters)
        made.back()->set_parameter(parameter.c_str(), value);
    }
    return engine_.add_track(name, channels, linear, std::move(made));
  }

  std::vector<RawIncident> pop_incidents() {
    std::vector<RawIncident> incidents;
    while (const std::optional<Incident> incident = engine_.ledger().pop())
      incidents.push_back(raw(*incident));
    return incidents;
  }

  std::vector<RawIncident> open_incidents() {
    std::vector<RawIncident> incidents;
    const std::size_t sources = engine_.plan()->sources.size();
    for (std::uint32_t i = 0; i < sources; ++i)
      if (const auto incident = engine_.ledger().open(SubjectKind::source, i))
        incidents.push_back(raw(*incident));
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

  SourceProgress source_progress(std::size_t index) {
    SourceNode& node = *engine_.plan()->sources.at(index);
    return {node.name(),
            node.captured_frames(),
            node.late_frames(),
            node.domain().drift_ppm(),
            node.domain().locked(),
            name_of(node.source().feed().absence()),
            level_of(node.meter())};
  }

  Level track_level(std::size_t index) {
    return level_of(engine_.plan()->tracks.at(index).node->meter());
  }

 private:
  SystemClock clock_;
  Engine engine_;
};

/// One output's end of its ring.
class Reader {
 public:
  Reader(PythonEngine& engine, const std::vector<std::size_t>& tracks,
         std::uint32_t capacity_frames)
      : engine_(engine.engine()), ring_(engine_.add_output(tracks, capacity_frames, subject_)) {}
  ~Reader() { close(); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  ReaderRing& ring() { return *ring_; }
  const ReaderRing& ring() const { return *ring_; }
  std::uint32_t subject() const { return subject_; }

  void close() {
    if (ring_->closed()) return;
    ring_->close();
    engine_.remove_output(*ring_);
  }

 private:
  Engine& engine_;
  std::uint32_t subject_ = 0;
  std::shared_ptr<ReaderRing> ring_;
};

/// Tracks of an engine in memory that other programs read.
class SharedOutput {
 public:
  SharedOutput(PythonEngine& engine, const std::string& session,
               const std::vector<std::size_t>& tracks, const std::vector<std::string>& names,
               std::uint32_t capacity_frames)
      : engine_(engine.engine()) {
    if (names.size() != tracks.size())
      throw Failure(ErrorKind::invalid_argument, "each shared track needs one name");
    const std::vector<std::uint32_t> channels = engine_.channels_of(tracks);
    std::vector<SharedTracks::Track> shared;
    for (std::size_t i = 0; i < tracks.size(); ++i) shared.push_back({names[i], channels[i]});
    const EngineOptions& options = engine_.options();
    sink_ = std::make_shared<SharedTracks>(
        SharedTracksOptions{session, options.sample_rate, options.block_frames,
                            options.latency_frames, capacity_frames},
        shared, engine.clock());
    subject_ = engine_.add_sink(sink_, tracks);
  }
  ~SharedOutput() { close(); }
  SharedOutput(const SharedOutput&) = delete;
  SharedOutput& operator=(const SharedOutput&) = delete;

  std::uint32_t subject() const { return subject_; }
  const SharedTracks& sink() const { return *sink_; }

  nb::list restore_lost() {
    nb::list losses;
    for (const SharedTracks::Loss& loss : sink_->restore_lost())
      losses.append(nb::make_tuple(loss.track, loss.begin, loss.frames, loss.error));
    return losses;
  }

  void close() {
    if (sink_->closed()) return;
    sink_->close();
    engine_.remove_output(*sink_);
  }

 private:
  Engine& engine_;
  std::uint32_t subject_ = 0;
  std::shared_ptr<SharedTracks> sink_;
};

/// Tracks of an engine as microphones of the audio system.
class VirtualOutput {
 public:
  VirtualOutput(PythonEngine& engine, const std::string& session,
                const std::vector<std::size_t>& tracks, const std::vector<std::string>& names,
                const std::string& remote)
      : engine_(engine.engine()) {
    const EngineOptions& options = engine_.options();
    PlayoutOptions playout;
    playout.sample_rate = options.sample_rate;
    playout.block_frames = options.block_frames;
    playout.latency_frames = options.latency_frames;
    playout.spare_frames = options.sample_rate / 50;
    playout_ = std::make_shared<Playout>(playout, engine_.channels_of(tracks));
    sources_ = std::make_unique<VirtualSources>(
        VirtualSourcesOptions{remote, session, options.sample_rate}, names, playout_);
    subject_ = engine_.add_sink(playout_, tracks);
  }
  ~VirtualOutput() { close(); }
  VirtualOutput(const VirtualOutput&) = delete;
  VirtualOutput& operator=(const VirtualOutput&) = delete;

  std::uint32_t subject() const { return subject_; }
  Frames delay_frames() const { return playout_->delay_frames(); }
  std::vector<VirtualSources::Status> status() { return sources_->status(); }

  void close() {
    sources_->stop();
    if (playout_->closed()) return;
    playout_->close();
    engine_.remove_output(*playout_);
  }

 private:
  Engine& engine_;
  std::uint32_t subject_ = 0;
  std::shared_ptr<Playout> playout_;
  std::unique_ptr<VirtualSources> sources_;
};

const char* name_of(VirtualSources::State state) {
  switch (state) {
    case VirtualSources::State::idle:
      return "idle";
    case VirtualSources::State::recording:
      return "recording";
    case VirtualSources::State::lost:
      break;
  }
  return "lost";
}

nb::tuple peek(nb::handle_t<Reader> self, std::uint32_t max_frames) {
  const ReaderRing& ring = nb::cast<Reader&>(self).ring();
  const ReaderRing::Run run = ring.peek(max_frames);
  nb::list views;
  for (std::size_t track = 0; track < ring.track_count(); ++track)
    views.append(nb::cast(nb::ndarray<nb::numpy, const float, nb::ndim<2>>(
        ring.samples(track, run), {run.frames, ring.channels(track)}, self)));
  return nb::make_tuple(run.start, run.frames, views);
}

std::chrono::nanoseconds nanoseconds_of(double seconds) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

void release(Reader& self, std::uint32_t frames) {
  if (frames > self.ring().available())
    throw Failure(ErrorKind::invalid_argument, "more frames are given back than were there");
  self.ring().release(frames);
}

SyntheticSignal::Kind kind_of(const std::string& name) {
  if (name == "tone") return SyntheticSignal::Kind::tone;
  if (name == "noise") return SyntheticSignal::Kind::noise;
  if (name == "numbered") return SyntheticSignal::Kind::numbered;
  if (name == "silence") return SyntheticSignal::Kind::silence;
  throw Failure(ErrorKind::invalid_argument, "there is no synthetic signal \"" + name + "\"");
}

std::shared_ptr<SyntheticSource> make_synthetic(
    std::uint32_t sample_rate, std::uint32_t channels, std::uint32_t capacity_frames,
    const std::string& kind, double frequency_hz, double level_dbfs, std::uint32_t seed,
    double skew_ppm, double jitter_ms, const std::vector<std::pair<double, double>>& dropouts,
    std::uint32_t quantum) {
  SyntheticSignal signal;
  signal.kind = kind_of(kind);
  signal.frequency_hz = frequency_hz;
  signal.level_dbfs = level_dbfs;
  signal.seed = seed;
  signal.skew_ppm = skew_ppm;
  signal.jitter_ms = jitter_ms;
  for (const auto& [at_s, length_ms] : dropouts) signal.dropouts.push_back({at_s, length_ms});
  signal.quantum = quantum;
  return std::make_shared<SyntheticSource>(signal, sample_rate, channels, capacity_frames);
}

}  // namespace

void bind_engine(nb::module_& module) {
  using Unlocked = nb::call_guard<nb::gil_scoped_release>;

  module.def("filter_kinds", [] { return filters().kinds(); }, "The built-in filters' kinds.");

  nb::class_<Level>(module, "Level", "Peak and RMS (linear, 1 is 0 dBFS) over all channels.")
      .def_ro("peak", &Level::peak)
      .def_ro("rms", &Level::rms)
      .def_ro("max_peak", &Level::max_peak, "The highest since the start.")
      .def_ro("silent_frames", &Level::silent_frames, "Frames since the last that was not zero.");

  nb::class_<SourceProgress>(module, "SourceProgress", "A source as the engine sees it.")
      .def_ro("name", &SourceProgress::name)
      .def_ro("captured_frames", &SourceProgress::captured_frames)
      .def_ro("late_frames", &SourceProgress::late_frames, "Came too late and were dropped.")
      .def_ro("drift_ppm", &SourceProgress::drift_ppm, "Its clock against host time.")
      .def_ro("locked", &SourceProgress::locked, "True while its frames pass bit for bit.")
      .def_ro("absence", &SourceProgress::absence, "Why no frames come, if none come.")
      .def_ro("level", &SourceProgress::level);

  nb::class_<RawIncident>(module, "RawIncident", "An entry of the ledger, with numbers for names.")
      .def_ro("cause", &RawIncident::cause)
      .def_ro("of_output", &RawIncident::of_output, "The subject is an output, not a source.")
      .def_ro("subject", &RawIncident::subject)
      .def_ro("begin", &RawIncident::begin)
      .def_ro("frames", &RawIncident::frames);

  nb::class_<Source>(module, "Source", "Brings frames into the engine.");
  nb::class_<SyntheticSource, Source>(module, "SyntheticSource", "Frames known in advance.")
      .def(nb::new_(&make_synthetic), nb::kw_only(), "sample_rate"_a, "channels"_a,
           "capacity_frames"_a, "kind"_a, "frequency_hz"_a = 440.0, "level_dbfs"_a = -12.0,
           "seed"_a = 0, "skew_ppm"_a = 0.0, "jitter_ms"_a = 0.0,
           "dropouts"_a = std::vector<std::pair<double, double>>{}, "quantum"_a = 480);

  nb::class_<PythonEngine>(module, "Engine", "Advances the timeline, block by block.")
      .def(nb::init<std::uint32_t, std::uint32_t, std::uint32_t>(), nb::kw_only(), "sample_rate"_a,
           "block_frames"_a, "latency_frames"_a)
      .def(
          "add_source",
          [](PythonEngine& self, const std::string& name, std::shared_ptr<Source> source) {
            return self.engine().add_source(name, std::move(source));
          },
          "name"_a, "source"_a, "Before start(). Returns the source's index.")
      .def("add_track", &PythonEngine::add_track, "name"_a, "channels"_a, "sends"_a, "filters"_a,
           "Sends are (source index, gain in dB); filters (kind, parameters). Returns its index.")
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
      .def("source_progress", &PythonEngine::source_progress, "index"_a)
      .def("track_level", &PythonEngine::track_level, "index"_a)
      .def("pop_incidents", &PythonEngine::pop_incidents,
           "Those that have ended since the last call.")
      .def("open_incidents", &PythonEngine::open_incidents,
           "Those that sources are in now, as long as they are so far.")
      .def("unlisted_incidents", &PythonEngine::unlisted_incidents,
           "Incidents and frames of each cause that the full list refused so far.");

  nb::class_<Reader>(module, "Reader", "One output's end of its ring. For one thread at a time.")
      .def(nb::init<PythonEngine&, const std::vector<std::size_t>&, std::uint32_t>(), "engine"_a,
           "tracks"_a, "capacity_frames"_a, nb::keep_alive<1, 2>())
      .def_prop_ro("subject", &Reader::subject, "Its number in the ledger.")
      .def(
          "wait",
          [](Reader& self, std::uint64_t frames, double timeout_s) {
            return self.ring().wait(frames, nanoseconds_of(timeout_s));
          },
          "frames"_a, "timeout_s"_a, Unlocked(),
          "Until that many frames are there or the session has ended; False: out of time.")
      .def("peek", &peek, "max_frames"_a,
           nb::sig("def peek(self, max_frames: int) -> tuple[int, int, "
                   "list[numpy.typing.NDArray[numpy.float32]]]"),
           "Start, frames and one view (frames, channels) per track, valid until release().")
      .def("release", &release, "frames"_a, "Gives back the first frames of the last peek().")
      .def(
          "interrupt", [](Reader& self) { self.ring().interrupt(); },
          "Ends a wait() in another thread.")
      .def(
          "close", [](Reader& self) { self.close(); }, "Nothing more is written for this reader.")
      .def_prop_ro("closed", [](const Reader& self) { return self.ring().closed(); })
      .def_prop_ro("finished", [](const Reader& self) { return self.ring().finished(); })
      .def_prop_ro("available", [](const Reader& self) { return self.ring().available(); })
      .def_prop_ro("capacity", [](const Reader& self) { return self.ring().capacity(); })
      .def_prop_ro("lost_frames", [](const Reader& self) { return self.ring().lost_frames(); });

  nb::class_<SharedOutput>(module, "SharedTracks",
                           "Tracks in memory that other programs of this user read.")
      .def(nb::init<PythonEngine&, const std::string&, const std::vector<std::size_t>&,
                    const std::vector<std::string>&, std::uint32_t>(),
           "engine"_a, "session"_a, "tracks"_a, "names"_a, "capacity_frames"_a,
           nb::keep_alive<1, 2>(),
           "Raises OutputFailed where another living session of that name has such a track.")
      .def_prop_ro("subject", &SharedOutput::subject, "Its number in the ledger.")
      .def_prop_ro(
          "paths", [](const SharedOutput& self) { return self.sink().paths(); },
          "The tracks' files, in order.")
      .def_prop_ro(
          "session_id", [](const SharedOutput& self) { return hex_of(self.sink().session_id()); },
          "32 hexadecimal digits: readers see by it that a new session has begun.")
      .def("restore_lost", &SharedOutput::restore_lost,
           nb::sig("def restore_lost(self) -> list[tuple[int, int, int, str]]"),
           "Makes files anew that were cut off. For each loss that is over: its track, first frame "
           "and frames; or, once, the reason why its file could not be made anew.")
      .def("close", &SharedOutput::close, "Ends the tracks for their readers; removes the files.");

  module.def("virtual_source_name", &virtual_source_name, "session"_a, "track"_a,
             "What programs find a track's virtual source by.");

  nb::class_<VirtualSources::Status>(module, "VirtualSourceStatus", "A track as a microphone.")
      .def_ro("node_name", &VirtualSources::Status::node_name, "What programs find it by.")
      .def_prop_ro(
          "state", [](const VirtualSources::Status& self) { return name_of(self.state); },
          "lost (PipeWire is not there), idle (nobody records from it) or recording.")
      .def_ro("lost_frames", &VirtualSources::Status::lost_frames,
              "Missing or left out while somebody recorded.");

  nb::class_<VirtualOutput>(module, "VirtualSources",
                            "Tracks as microphones that other programs record from.")
      .def(nb::init<PythonEngine&, const std::string&, const std::vector<std::size_t>&,
                    const std::vector<std::string>&, const std::string&>(),
           "engine"_a, "session"_a, "tracks"_a, "names"_a, "remote"_a = "", nb::keep_alive<1, 2>(),
           Unlocked(), "Returns when programs can see them. Raises BackendUnavailable.")
      .def_prop_ro("subject", &VirtualOutput::subject, "Its number in the ledger.")
      .def_prop_ro("delay_frames", &VirtualOutput::delay_frames,
                   "By how much a frame is given after its host time; 0: to nobody yet.")
      .def("status", &VirtualOutput::status, Unlocked(), "One for each track, in order.")
      .def("close", &VirtualOutput::close, Unlocked(), "Takes them away.");
}

}  // namespace pypac
