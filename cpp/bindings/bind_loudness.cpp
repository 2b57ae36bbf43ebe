// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "bindings/bind.hpp"
#include "core/flush_to_zero.hpp"
#include "core/status.hpp"
#include "core/thread_role.hpp"
#include "engine/loudness.hpp"
#include "host/block_buffer.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace pypac {
namespace {

using Frames2d = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr std::uint32_t kBlockFrames = 480;

std::shared_ptr<LoudnessMeter> make_meter(std::uint32_t sample_rate, std::uint32_t channels) {
  if (sample_rate < 8000 || sample_rate > 192000 || channels < 1 || channels > 8)
    throw Failure(ErrorKind::invalid_argument, "loudness is of 1 to 8 channels, 8 to 192 kHz");
  return std::make_shared<LoudnessMeter>(sample_rate, channels, kBlockFrames);
}

void process(LoudnessMeter& self, const Frames2d& audio) {
  const std::size_t channels = self.channels();
  if (audio.shape(1) != channels)
    throw Failure(ErrorKind::invalid_argument, "the frames have another number of channels");
  const nb::gil_scoped_release unlocked;
  const ScopedThreadRole role(ThreadRole::pump);
  const ScopedFlushToZero flush_to_zero;
  BlockBuffer block(static_cast<std::uint32_t>(channels), kBlockFrames);
  const std::size_t total = audio.shape(0);
  for (std::size_t begin = 0; begin < total; begin += kBlockFrames) {
    const std::size_t frames = std::min<std::size_t>(kBlockFrames, total - begin);
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t i = 0; i < frames; ++i)
        block.channels()[c][i] = audio.data()[(begin + i) * channels + c];
    const LoudnessMeter::Input input{&self, block.view()};
    LoudnessMeter::process({&input, 1}, static_cast<std::uint32_t>(frames));
  }
}

}  // namespace

void bind_loudness(nb::module_& module) {
  nb::class_<LoudnessMeter>(module, "LoudnessMeter",
                            "Loudness and true peak of audio that is there already.")
      .def(nb::new_(&make_meter), nb::kw_only(), "sample_rate"_a = 48000, "channels"_a = 2)
      .def("process", &process, "audio"_a,
           nb::sig("def process(self, audio: numpy.typing.NDArray[numpy.float32]) -> None"),
           "Takes frames of the shape (frames, channels).")
      .def("restart", &LoudnessMeter::restart,
           "Integrated loudness, range and maxima begin anew with the next frame.")
      .def_prop_ro("values", &LoudnessMeter::values, "As they are now.");
}

}  // namespace pypac
