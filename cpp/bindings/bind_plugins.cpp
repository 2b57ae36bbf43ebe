// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>
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
#include "capture/synthetic/synthetic_source.hpp"
#include "core/status.hpp"
#include "filters/builtin_filters.hpp"
#include "plugin/descriptor.hpp"
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

void bind_plugins(nb::module_& module) {
  nb::class_<ParamInfo>(module, "ParamInfo", "All that is known of one parameter of a plugin.")
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
      .def_ro("max_channels", &PluginInfo::max_channels);
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
}

}  // namespace pypac
