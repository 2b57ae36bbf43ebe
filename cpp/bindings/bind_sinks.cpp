// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "bindings/bind.hpp"
#include "bindings/hex.hpp"
#include "core/host_clock.hpp"
#include "sinks/shared_track_reader.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace pypac {
namespace {

/// Names come out of file names, and need not be UTF-8.
nb::object text(const std::string& name) {
  return nb::steal(
      PyUnicode_DecodeUTF8(name.data(), static_cast<Py_ssize_t>(name.size()), "surrogateescape"));
}

nb::tuple read(SharedTrackReader& self, std::uint32_t max_frames) {
  const std::size_t channels = self.info().channels;
  const std::uint32_t frames = std::min(max_frames, SharedTrackReader::kMostFrames);
  auto planar = std::make_unique<std::vector<float>>(channels * frames);
  std::array<float*, shared_track::kMaxChannels> pointers{};
  for (std::size_t c = 0; c < channels; ++c) pointers[c] = planar->data() + c * frames;
  const SharedTrackReader::Read read = self.read(pointers.data(), frames);
  const nb::capsule owner(
      planar.get(), [](void* memory) noexcept { delete static_cast<std::vector<float>*>(memory); });
  const float* const data = planar.release()->data();
  // Planar in memory, seen as frames of channels.
  const nb::ndarray<nb::numpy, const float, nb::ndim<2>> view(
      data, {read.frames, channels}, owner, {1, static_cast<std::int64_t>(frames)});
  return nb::make_tuple(read.start, view, read.lost);
}

}  // namespace

void bind_sinks(nb::module_& module) {
  nb::class_<SharedTrackInfo>(module, "SharedTrackInfo", "What a shared track is.")
      .def_prop_ro("session_id",
                   [](const SharedTrackInfo& self) { return hex_of(self.session_id); })
      .def_prop_ro("sample_rate",
                   [](const SharedTrackInfo& self) { return self.anchor.sample_rate; })
      .def_prop_ro(
          "origin_ns", [](const SharedTrackInfo& self) { return self.anchor.origin.count(); },
          "The host time of frame 0, once the session runs.")
      .def_ro("channels", &SharedTrackInfo::channels)
      .def_ro("capacity_frames", &SharedTrackInfo::capacity_frames)
      .def_ro("block_frames", &SharedTrackInfo::block_frames)
      .def_ro("latency_frames", &SharedTrackInfo::latency_frames)
      .def_ro("first_frame", &SharedTrackInfo::first_frame)
      .def_ro("writer_pid", &SharedTrackInfo::writer_pid);

  nb::class_<SharedTrackReader>(module, "SharedTrackReader",
                                "Reads one track of a session of this or another process.")
      .def(nb::init<const std::string&, const std::string&>(), "session"_a, "track"_a)
      .def(
          "poll", [](SharedTrackReader& self) { return name_of(self.poll(SystemClock().now())); },
          nb::sig("def poll(self) -> str"),
          "Looks what is there: absent, incompatible, damaged, starting, running, ended or gone.")
      .def_prop_ro(
          "state", [](const SharedTrackReader& self) { return name_of(self.state()); },
          nb::sig("def state(self) -> str"), "What the last poll() or read() found.")
      .def(
          "info", [](const SharedTrackReader& self) { return self.info(); },
          "Of the track that is attached: from starting to gone.")
      .def(
          "start_at", [](SharedTrackReader& self, Frames frame) { self.start_at(frame); },
          "frame"_a, "Where the next read() begins.")
      .def("read", &read, "max_frames"_a,
           nb::sig("def read(self, max_frames: int) -> tuple[int, "
                   "numpy.typing.NDArray[numpy.float32], int]"),
           "Start, frames (frames, channels) and how many were lost before them.");

  module.def(
      "list_shared_tracks",
      [] {
        nb::list listings;
        for (const SharedTrackListing& listing : list_shared_tracks(SystemClock().now()))
          listings.append(
              nb::make_tuple(text(listing.session), text(listing.track), name_of(listing.state)));
        return listings;
      },
      nb::sig("def list_shared_tracks() -> list[tuple[str, str, str]]"),
      "Session, track and state of each shared track of this user.");
}

}  // namespace pypac
