// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bind.hpp"
#include "bindings/cause_names.hpp"
#include "bindings/python_engine.hpp"
#include "capture/synthetic/synthetic_source.hpp"
#include "core/host_clock.hpp"
#include "core/status.hpp"
#include "filters/builtin_filters.hpp"
#include "host/lane.hpp"
#include "plugin/descriptor.hpp"
#include "plugin/pushed_source.hpp"
#include "plugin/source.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace pypac {
namespace {

const char* name_of(ParamType type) {
  switch (type) {
    case ParamType::number:
      return "number";
    case ParamType::integer:
      return "integer";
    case ParamType::boolean:
      return "boolean";
    case ParamType::choice:
      return "choice";
    case ParamType::track:
      return "track";
    case ParamType::tracks:
      break;
  }
  return "tracks";
}

ParamType type_of(const std::string& name) {
  for (const ParamType type : {ParamType::number, ParamType::integer, ParamType::boolean,
                               ParamType::choice, ParamType::track})
    if (name == name_of(type)) return type;
  return ParamType::tracks;
}

ParamInfo make_param(std::string id, const std::string& type, std::string unit, double min,
                     double max, std::optional<ParamValue> fallback,
                     std::vector<std::string> choices, std::string help) {
  return {.id = std::move(id),
          .type = type_of(type),
          .unit = std::move(unit),
          .min = min,
          .max = max,
          .fallback = std::move(fallback),
          .choices = std::move(choices),
          .help = std::move(help)};
}

/// The frames that came, or None.
nb::object take(LaneEnd& self, double timeout_s) {
  std::uint32_t frames = 0;
  {
    const nb::gil_scoped_release unlocked;
    frames = self.wait(nanoseconds_of(timeout_s));
  }
  if (frames == 0) return nb::none();
  const std::size_t channels = self.channels();
  auto samples = std::make_unique<std::vector<float>>(channels * frames);
  self.take(samples->data(), frames);
  const nb::capsule owner(samples.get(), [](void* memory) noexcept {
    delete static_cast<std::vector<float>*>(memory);
  });
  float* const data = samples.release()->data();
  return nb::cast(nb::ndarray<nb::numpy, float, nb::ndim<2>>(data, {frames, channels}, owner));
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

std::shared_ptr<PushedSource> make_pushed(std::uint32_t sample_rate, std::uint32_t channels,
                                          std::uint32_t capacity_frames) {
  static const SystemClock clock;
  return std::make_shared<PushedSource>(sample_rate, channels, capacity_frames, clock);
}

using Frames2d = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <auto Method, typename Self>
void hand_over(Self& self, const Frames2d& frames) {
  if (frames.shape(1) != self.channels())
    throw Failure(ErrorKind::invalid_argument, "the frames have another number of channels");
  (self.*Method)(frames.data(), static_cast<std::uint32_t>(frames.shape(0)));
}

}  // namespace

void bind_plugins(nb::module_& module) {
  nb::class_<ParamInfo>(module, "ParamInfo", "All that is known of one parameter of a plugin.")
      .def(nb::new_(&make_param), nb::kw_only(), "id"_a, "type"_a, "unit"_a = "", "min"_a = 0.0,
           "max"_a = 0.0, "default"_a = nb::none(), "choices"_a = std::vector<std::string>{},
           "help"_a = "")
      .def_ro("id", &ParamInfo::id)
      .def_prop_ro(
          "type", [](const ParamInfo& self) { return name_of(self.type); },
          "number, integer, boolean, choice, track or tracks.")
      .def_ro("unit", &ParamInfo::unit, "Empty: none.")
      .def_ro("min", &ParamInfo::min)
      .def_ro("max", &ParamInfo::max)
      .def_ro("default", &ParamInfo::fallback, "None: it has to be given.")
      .def_prop_ro(
          "logarithmic",
          [](const ParamInfo& self) { return self.scale == ParamScale::logarithmic; },
          "How a control's travel maps to values.")
      .def_ro("choices", &ParamInfo::choices)
      .def_ro("live", &ParamInfo::live, "False: another value takes another filter, faded in.")
      .def_ro("help", &ParamInfo::help);
  nb::class_<PluginInfo>(module, "PluginInfo", "All that is known of a kind of filter.")
      .def_ro("kind", &PluginInfo::kind)
      .def_ro("version", &PluginInfo::version)
      .def_ro("help", &PluginInfo::help)
      .def_ro("params", &PluginInfo::params)
      .def_ro("max_channels", &PluginInfo::max_channels)
      .def_ro("reduces", &PluginInfo::reduces, "It tells by how much it makes a track quieter.");
  module.def(
      "filter_infos",
      [] {
        std::vector<PluginInfo> infos;
        for (const std::string& kind : builtin_filters().kinds())
          infos.push_back(builtin_filters().info(kind));
        return infos;
      },
      "The built-in filters, by kind.");

  nb::class_<Source>(module, "Source", "Brings frames into the engine.");
  nb::class_<SyntheticSource, Source>(module, "SyntheticSource", "Frames known in advance.")
      .def(nb::new_(&make_synthetic), nb::kw_only(), "sample_rate"_a, "channels"_a,
           "capacity_frames"_a, "kind"_a, "frequency_hz"_a = 440.0, "level_dbfs"_a = -12.0,
           "seed"_a = 0, "skew_ppm"_a = 0.0, "jitter_ms"_a = 0.0,
           "dropouts"_a = std::vector<std::pair<double, double>>{}, "quantum"_a = 480);
  nb::class_<PushedSource, Source>(module, "PushedSource", "Frames that one thread pushes.")
      .def(nb::new_(&make_pushed), nb::kw_only(), "sample_rate"_a, "channels"_a,
           "capacity_frames"_a)
      .def_prop_ro("started", &PushedSource::started, "It may be filled.")
      .def_prop_ro("stopped", &PushedSource::stopped, "Nothing more is taken.")
      .def_prop_ro("now", &PushedSource::now, "The frame of the timeline that is heard now.")
      .def_prop_ro("position", &PushedSource::position, "Where the next frame comes to lie.")
      .def(
          "skip_to",
          [](PushedSource& self, Frames position, const std::string& cause) {
            self.skip_to(position, cause_of(cause));
          },
          "position"_a, "cause"_a, "The frames up to there are missing.")
      .def("push", &hand_over<&PushedSource::push, PushedSource>, "frames"_a,
           nb::sig("def push(self, frames: numpy.typing.NDArray[numpy.float32]) -> None"),
           "Takes frames of the shape (frames, channels).")
      .def("stop", &PushedSource::stop)
      .def(
          "set_absence",
          [](PushedSource& self, const std::string& cause) {
            self.feed().set_absence(cause_of(cause));
          },
          "cause"_a, "Why nothing comes, if nothing comes.");

  nb::class_<Lane>(module, "Lane", "The way to a process that does a filter's work, and back.")
      .def_prop_ro("kind", &Lane::kind, "Of the filter.")
      .def_prop_ro(
          "handle", [](const Lane& self) { return self.memory().handle(); },
          "Of its memory, for the process: a file descriptor, or a handle of Windows.")
      .def_prop_ro("bytes", [](const Lane& self) { return self.memory().size(); })
      .def_prop_ro("closed", &Lane::closed, "The filter is gone.")
      .def_prop_ro("late_frames", &Lane::late_frames, "That were not in time, so far.")
      .def("give_up", &Lane::give_up, "No process works for it, nor will.")
      .def(
          "set_patience",
          [](Lane& self, double seconds) { self.set_patience(nanoseconds_of(seconds)); },
          "seconds"_a, "In a session that runs offline: how long the engine waits for it.");
  nb::class_<LaneEnd>(module, "LaneEnd", "The other end of a lane.")
      .def(nb::init<std::intptr_t, std::size_t>(), "handle"_a, "bytes"_a)
      .def_prop_ro("sample_rate", [](const LaneEnd& self) { return self.header().sample_rate; })
      .def_prop_ro("channels", &LaneEnd::channels)
      .def_prop_ro("max_frames", [](const LaneEnd& self) { return self.header().max_frames; })
      .def_prop_ro(
          "closed", [](const LaneEnd& self) { return self.header().closed.load() != 0; },
          "Nothing more comes.")
      .def(
          "values",
          [](const LaneEnd& self, std::size_t count) {
            std::vector<double> values;
            for (std::size_t i = 0; i < std::min(count, lane::Header::kMaxParams); ++i)
              values.push_back(self.header().values[i].load(std::memory_order_relaxed));
            return values;
          },
          "count"_a, "Of the first parameters.")
      .def(
          "take", &take, "timeout_s"_a,
          nb::sig("def take(self, timeout_s: float) -> numpy.typing.NDArray[numpy.float32] | None"),
          "The next frames (frames, channels), to be changed at will; None: none came.")
      .def("take_reset", &LaneEnd::take_reset, "A break lies before those frames.")
      .def("give", &hand_over<&LaneEnd::give, LaneEnd>, "frames"_a,
           nb::sig("def give(self, frames: numpy.typing.NDArray[numpy.float32]) -> None"),
           "Gives back as many as were taken.");
}

}  // namespace pypac
