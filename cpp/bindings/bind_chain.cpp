// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "bindings/bind.hpp"
#include "core/status.hpp"
#include "filters/builtin_filters.hpp"
#include "host/block_buffer.hpp"
#include "host/offline_chain.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace pypac {
namespace {

using Frames2d = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

std::shared_ptr<OfflineChain> make_chain(
    const std::vector<std::tuple<std::string, ParamValues, bool>>& filters,
    std::uint32_t sample_rate, std::uint32_t channels, std::uint32_t max_frames) {
  std::vector<OfflineChain::Link> links;
  for (const auto& [kind, values, bypassed] : filters) links.push_back({kind, values, bypassed});
  return std::make_shared<OfflineChain>(builtin_filters(), links,
                                        SlotOptions{sample_rate, channels, max_frames});
}

/// Some frames of an interleaved array, as planar memory.
void read_frames(const Frames2d& from, std::size_t begin, std::uint32_t frames, BlockBuffer& to) {
  const std::size_t channels = to.channel_count();
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t i = 0; i < frames; ++i)
      to.channels()[c][i] = from.data()[(begin + i) * channels + c];
}

nb::object process(OfflineChain& self, const Frames2d& audio, const std::vector<Frames2d>& keys) {
  const std::uint32_t channels = self.options().channels;
  if (audio.shape(1) != channels)
    throw Failure(ErrorKind::invalid_argument, "the frames have another number of channels");
  const std::size_t total = audio.shape(0);
  std::vector<std::unique_ptr<BlockBuffer>> key_blocks;
  std::vector<BlockView> views;
  for (const Frames2d& key : keys) {
    if (key.shape(0) != total)
      throw Failure(ErrorKind::invalid_argument, "a key has another number of frames");
    key_blocks.push_back(std::make_unique<BlockBuffer>(static_cast<std::uint32_t>(key.shape(1)),
                                                       self.options().max_frames));
    views.push_back(key_blocks.back()->view());
  }
  BlockBuffer block(channels, self.options().max_frames);
  auto samples = std::make_unique<std::vector<float>>(channels * total);
  {
    const nb::gil_scoped_release unlocked;
    for (std::size_t begin = 0; begin < total; begin += self.options().max_frames) {
      const auto frames = static_cast<std::uint32_t>(
          std::min<std::size_t>(self.options().max_frames, total - begin));
      read_frames(audio, begin, frames, block);
      for (std::size_t k = 0; k < keys.size(); ++k)
        read_frames(keys[k], begin, frames, *key_blocks[k]);
      self.process(block.block(frames), views);
      for (std::size_t c = 0; c < channels; ++c)
        for (std::size_t i = 0; i < frames; ++i)
          (*samples)[(begin + i) * channels + c] = block.channels()[c][i];
    }
  }
  const nb::capsule owner(samples.get(), [](void* memory) noexcept {
    delete static_cast<std::vector<float>*>(memory);
  });
  float* const data = samples.release()->data();
  return nb::cast(nb::ndarray<nb::numpy, float, nb::ndim<2>>(data, {total, channels}, owner));
}

}  // namespace

void bind_chain(nb::module_& module) {
  nb::class_<OfflineChain>(module, "OfflineChain",
                           "Built-in filters in their order, over audio that is there already.")
      .def(nb::new_(&make_chain), "filters"_a, nb::kw_only(), "sample_rate"_a = 48000,
           "channels"_a = 2, "max_frames"_a = 480,
           "Each filter is (kind, values, bypassed). Blocks are of max_frames.")
      .def_prop_ro("latency_frames", &OfflineChain::latency_frames)
      .def_prop_ro("key_count", &OfflineChain::key_count, "How many keys process() takes.")
      .def_prop_ro("faults", &OfflineChain::faults,
                   "Blocks in which a filter gave something that is no number.")
      .def("set", &OfflineChain::set, "link"_a, "param"_a, "value"_a,
           "Sets a live parameter, heard from the next block on.")
      .def("set_bypassed", &OfflineChain::set_bypassed, "link"_a, "bypassed"_a)
      .def("reduction_db", &OfflineChain::reduction_db, "link"_a,
           "By how many dB a filter made the last block quieter.")
      .def("process", &process, "audio"_a, "keys"_a = std::vector<Frames2d>{},
           nb::sig("def process(self, audio: numpy.typing.NDArray[numpy.float32], keys: "
                   "list[numpy.typing.NDArray[numpy.float32]] = []) -> "
                   "numpy.typing.NDArray[numpy.float32]"),
           "Takes and gives frames of the shape (frames, channels), late by latency_frames. The "
           "keys are of all filters that have some, in the order of the chain.");
}

}  // namespace pypac
