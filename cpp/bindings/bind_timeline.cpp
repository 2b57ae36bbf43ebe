// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <span>
#include <vector>

#include "bindings/bind.hpp"
#include "bindings/cause_names.hpp"
#include "core/host_clock.hpp"
#include "timeline/resampler.hpp"

namespace nb = nanobind;

namespace pypac {
namespace {

using Mono = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

nb::object resample_array(const Mono& mono, double ratio) {
  auto* const out =
      new std::vector<float>(resample(std::span<const float>(mono.data(), mono.shape(0)), ratio));
  const nb::capsule owner(
      out, [](void* memory) noexcept { delete static_cast<std::vector<float>*>(memory); });
  return nb::cast(nb::ndarray<nb::numpy, float, nb::ndim<1>>(out->data(), {out->size()}, owner));
}

}  // namespace

void bind_timeline(nb::module_& module) {
  module.def(
      "host_now_ns", [] { return SystemClock().now().count(); },
      "The host time now: the monotonic clock, in nanoseconds.");
  module.def(
      "causes",
      [] {
        nb::list names;
        for (const char* const name : kCauseNames) names.append(name);
        return nb::tuple(names);
      },
      nb::sig("def causes() -> tuple[str, ...]"), "Every cause that an incident can have.");
  module.def(
      "resample", &resample_array, nb::arg("mono"), nb::arg("ratio"),
      nb::sig("def resample(mono: numpy.typing.NDArray[numpy.float32], ratio: float) -> "
              "numpy.typing.NDArray[numpy.float32]"),
      "Resamples a whole signal with the drift corrector's kernel: `ratio` output frames for "
      "each input frame.");
}

}  // namespace pypac
