// SPDX-License-Identifier: MIT
#include "engine/mixer.hpp"

#include <algorithm>
#include <cstring>

namespace pypac {
namespace {

void add(const float* in, float gain, float* out, std::uint32_t frames) noexcept {
  for (std::uint32_t i = 0; i < frames; ++i) out[i] += gain * in[i];
}

void put(const float* in, float gain, float* out, std::uint32_t frames) noexcept {
  if (gain == 1.0F) {
    std::memcpy(out, in, frames * sizeof(float));
  } else {
    for (std::uint32_t i = 0; i < frames; ++i) out[i] = gain * in[i];
  }
}

}  // namespace

BlockBuffer::BlockBuffer(std::uint32_t channels, std::uint32_t max_frames)
    : samples_(std::size_t{channels} * max_frames) {
  for (std::uint32_t c = 0; c < channels; ++c)
    pointers_.push_back(samples_.data() + std::size_t{c} * max_frames);
}

void Mixer::send(BlockView source, float gain, bool first, BlockBuffer& track,
                 std::uint32_t frames) noexcept {
  const std::uint32_t inputs = source.channel_count();
  const std::uint32_t outputs = track.channel_count();
  if (outputs == 1 && inputs > 1) {
    const float share = gain / static_cast<float>(inputs);
    for (std::uint32_t c = 0; c < inputs; ++c) {
      if (first && c == 0)
        put(source.channels()[c], share, track.channels()[0], frames);
      else
        add(source.channels()[c], share, track.channels()[0], frames);
    }
    return;
  }
  for (std::uint32_t c = 0; c < outputs; ++c) {
    const bool has_input = inputs == 1 || c < inputs;
    const float* const in = has_input ? source.channels()[inputs == 1 ? 0 : c] : nullptr;
    if (in && first)
      put(in, gain, track.channels()[c], frames);
    else if (in)
      add(in, gain, track.channels()[c], frames);
    else if (first)
      std::fill_n(track.channels()[c], frames, 0.0F);
  }
}

void Mixer::clear(BlockBuffer& track, std::uint32_t frames) noexcept {
  for (std::uint32_t c = 0; c < track.channel_count(); ++c)
    std::fill_n(track.channels()[c], frames, 0.0F);
}

}  // namespace pypac
