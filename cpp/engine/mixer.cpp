// SPDX-License-Identifier: MIT
#include "engine/mixer.hpp"

#include <algorithm>
#include <cstring>

#include "plugin/block_math.hpp"

namespace pypac {
namespace {

void add(const float* in, const GlideBlock& gain, float share, float* out,
         std::uint32_t frames) noexcept {
  for (std::uint32_t i = 0; i < gain.frames; ++i) out[i] += gain.at(i) * share * in[i];
  const float rest = gain.rest * share;
  for (std::uint32_t i = gain.frames; i < frames; ++i) out[i] += rest * in[i];
}

void put(const float* in, const GlideBlock& gain, float share, float* out,
         std::uint32_t frames) noexcept {
  const float rest = gain.rest * share;
  for (std::uint32_t i = 0; i < gain.frames; ++i) out[i] = gain.at(i) * share * in[i];
  if (rest == 1.0F)
    std::memcpy(out + gain.frames, in + gain.frames, (frames - gain.frames) * sizeof(float));
  else
    for (std::uint32_t i = gain.frames; i < frames; ++i) out[i] = rest * in[i];
}

}  // namespace

void Mixer::send(BlockView source, const GlideBlock& gain, bool first,
                 const AudioBlock& track) noexcept {
  const std::uint32_t inputs = source.channel_count();
  const std::uint32_t outputs = track.channel_count;
  if (outputs == 1 && inputs > 1) {
    const float share = 1.0F / static_cast<float>(inputs);
    for (std::uint32_t c = 0; c < inputs; ++c) {
      if (first && c == 0)
        put(source.channels()[c], gain, share, track.channels[0], track.frames);
      else
        add(source.channels()[c], gain, share, track.channels[0], track.frames);
    }
    return;
  }
  for (std::uint32_t c = 0; c < outputs; ++c) {
    const bool has_input = inputs == 1 || c < inputs;
    const float* const in = has_input ? source.channels()[inputs == 1 ? 0 : c] : nullptr;
    if (in && first)
      put(in, gain, 1, track.channels[c], track.frames);
    else if (in)
      add(in, gain, 1, track.channels[c], track.frames);
    else if (first)
      std::fill_n(track.channels[c], track.frames, 0.0F);
  }
}

void Mixer::clear(const AudioBlock& track) noexcept {
  for (std::uint32_t c = 0; c < track.channel_count; ++c)
    std::fill_n(track.channels[c], track.frames, 0.0F);
}

void Mixer::scale(const AudioBlock& track, const GlideBlock& gain) noexcept {
  if (gain.is(0)) return clear(track);  // nothing times a program's NaN is no silence
  scale_block(track, gain);
}

}  // namespace pypac
