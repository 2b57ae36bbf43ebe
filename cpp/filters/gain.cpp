// SPDX-License-Identifier: MIT
#include "filters/gain.hpp"

#include "core/decibels.hpp"

namespace pypac {

const PluginInfo& Gain::info() const noexcept {
  static const PluginInfo info{
      .kind = "gain",
      .help = "Makes a track louder or quieter.",
      .params = {{.id = "gain_db",
                  .unit = "dB",
                  .min = -120,
                  .max = 40,
                  .help = "How much louder the track becomes, in dB."}},
  };
  return info;
}

void Gain::activate(const Activation& activation) {
  gain_.emplace(glide_frames(activation.sample_rate),
                static_cast<float>(linear_from_db(activation.values[0])));
}

void Gain::process(const ProcessContext& context) noexcept {
  for (const ParamChange& change : context.changes)
    gain_->aim(static_cast<float>(linear_from_db(change.value)));
  const GlideBlock gain = gain_->take(context.audio.frames);
  for (std::uint32_t c = 0; c < context.audio.channel_count; ++c) {
    float* const samples = context.audio.channels[c];
    for (std::uint32_t i = 0; i < gain.frames; ++i) samples[i] *= gain.at(i);
    for (std::uint32_t i = gain.frames; i < context.audio.frames; ++i) samples[i] *= gain.rest;
  }
}

}  // namespace pypac
