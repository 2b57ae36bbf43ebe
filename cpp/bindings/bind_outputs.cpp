// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <vector>

#include "bindings/bind.hpp"
#include "bindings/hex.hpp"
#include "bindings/python_engine.hpp"
#include "sinks/pipewire/virtual_sources.hpp"
#include "sinks/playout.hpp"
#include "sinks/shared_tracks.hpp"
#include "sinks/virtual_source_name.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace pypac {
namespace {

/// One output's end of its ring.
class Reader {
 public:
  Reader(PythonEngine& engine, const std::string& id, const std::vector<std::string>& tracks,
         std::uint32_t capacity_frames, Reader* replaces)
      : engine_(engine.engine()),
        ring_(std::make_shared<ReaderRing>(engine_.channels_of(tracks),
                                           engine_.options().block_frames, capacity_frames)) {
    if (replaces)
      engine_.replace_sink(*replaces->ring_, id, ring_, tracks);
    else
      engine_.add_sink(id, ring_, tracks);
  }
  ~Reader() { close(); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  ReaderRing& ring() { return *ring_; }
  const ReaderRing& ring() const { return *ring_; }

  /// With Python, which it lets go of meanwhile.
  void close() {
    if (ring_->closed()) return;
    const nb::gil_scoped_release unlocked;
    ring_->close();
    engine_.remove_output(*ring_);
  }

 private:
  Engine& engine_;
  std::shared_ptr<ReaderRing> ring_;
};

/// Tracks of an engine in memory that other programs read.
class SharedOutput {
 public:
  SharedOutput(PythonEngine& engine, const std::string& id, const std::string& session,
               const std::vector<std::string>& tracks, std::uint32_t capacity_frames)
      : engine_(engine.engine()), tracks_(tracks) {
    const std::vector<std::uint32_t> channels = engine_.channels_of(tracks);
    std::vector<SharedTracks::Track> shared;
    for (std::size_t i = 0; i < tracks.size(); ++i) shared.push_back({tracks[i], channels[i]});
    const EngineOptions& options = engine_.options();
    sink_ = std::make_shared<SharedTracks>(
        SharedTracksOptions{session, options.sample_rate, options.block_frames,
                            options.latency_frames + engine_.budget_frames(), capacity_frames},
        shared, engine.clock());
    engine_.add_sink(id, sink_, tracks);
  }
  ~SharedOutput() { close(); }
  SharedOutput(const SharedOutput&) = delete;
  SharedOutput& operator=(const SharedOutput&) = delete;

  const SharedTracks& sink() const { return *sink_; }

  nb::list restore_lost() {
    nb::list losses;
    for (const SharedTracks::Loss& loss : sink_->restore_lost())
      losses.append(nb::make_tuple(tracks_[loss.track], loss.begin, loss.frames, loss.error));
    return losses;
  }

  /// With Python, which it lets go of meanwhile.
  void close() {
    if (sink_->closed()) return;
    const nb::gil_scoped_release unlocked;
    sink_->close();
    engine_.remove_output(*sink_);
  }

 private:
  Engine& engine_;
  std::vector<std::string> tracks_;
  std::shared_ptr<SharedTracks> sink_;
};

/// Tracks of an engine as microphones of the audio system.
class VirtualOutput {
 public:
  VirtualOutput(PythonEngine& engine, const std::string& id, const std::string& session,
                const std::vector<std::string>& tracks, const std::string& remote)
      : engine_(engine.engine()) {
    const EngineOptions& options = engine_.options();
    PlayoutOptions playout;
    playout.sample_rate = options.sample_rate;
    playout.block_frames = options.block_frames;
    playout.latency_frames = options.latency_frames + engine_.budget_frames();
    playout.spare_frames = options.sample_rate / 50;
    playout_ = std::make_shared<Playout>(playout, engine_.channels_of(tracks));
    sources_ = std::make_unique<VirtualSources>(
        VirtualSourcesOptions{remote, session, options.sample_rate}, tracks, playout_);
    engine_.add_sink(id, playout_, tracks);
  }
  ~VirtualOutput() { close(); }
  VirtualOutput(const VirtualOutput&) = delete;
  VirtualOutput& operator=(const VirtualOutput&) = delete;

  Frames delay_frames() const { return playout_->delay_frames(); }
  std::vector<VirtualSources::Status> status() { return sources_->status(); }

  /// With Python, which it lets go of meanwhile.
  void close() {
    const nb::gil_scoped_release unlocked;
    sources_->stop();
    if (playout_->closed()) return;
    playout_->close();
    engine_.remove_output(*playout_);
  }

 private:
  Engine& engine_;
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

void release(Reader& self, std::uint32_t frames) {
  if (frames > self.ring().available())
    throw Failure(ErrorKind::invalid_argument, "more frames are given back than were there");
  self.ring().release(frames);
}

}  // namespace

void bind_outputs(nb::module_& module) {
  using Unlocked = nb::call_guard<nb::gil_scoped_release>;

  nb::class_<Reader>(module, "Reader", "One output's end of its ring. For one thread at a time.")
      .def(nb::init<PythonEngine&, const std::string&, const std::vector<std::string>&,
                    std::uint32_t, Reader*>(),
           "engine"_a, "id"_a, "tracks"_a, "capacity_frames"_a, "replaces"_a = nb::none(),
           nb::keep_alive<1, 2>(), Unlocked(),
           "One that replaces another one begins where that ends, to the frame.")
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
      .def(nb::init<PythonEngine&, const std::string&, const std::string&,
                    const std::vector<std::string>&, std::uint32_t>(),
           "engine"_a, "id"_a, "session"_a, "tracks"_a, "capacity_frames"_a, nb::keep_alive<1, 2>(),
           Unlocked(),
           "Raises OutputFailed where another living session of that name has such a track.")
      .def_prop_ro(
          "paths", [](const SharedOutput& self) { return self.sink().paths(); },
          "The tracks' files, in order.")
      .def_prop_ro(
          "session_id", [](const SharedOutput& self) { return hex_of(self.sink().session_id()); },
          "32 hexadecimal digits: readers see by it that a new session has begun.")
      .def("restore_lost", &SharedOutput::restore_lost,
           nb::sig("def restore_lost(self) -> list[tuple[str, int, int, str]]"),
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
      .def(nb::init<PythonEngine&, const std::string&, const std::string&,
                    const std::vector<std::string>&, const std::string&>(),
           "engine"_a, "id"_a, "session"_a, "tracks"_a, "remote"_a = "", nb::keep_alive<1, 2>(),
           Unlocked(), "Returns when programs can see them. Raises BackendUnavailable.")
      .def_prop_ro("delay_frames", &VirtualOutput::delay_frames,
                   "By how much a frame is given after its host time; 0: to nobody yet.")
      .def("status", &VirtualOutput::status, Unlocked(), "One for each track, in order.")
      .def("close", &VirtualOutput::close, "Takes them away.");
}

}  // namespace pypac
