// SPDX-License-Identifier: MIT
#include "filters/gain.hpp"

#include "core/decibels.hpp"
#include "plugin/block_math.hpp"

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
  gain_.emplace(glide_frames(activation.sample_rate), gain_from_db(activation.values[0]), true);
}

void Gain::process(const ProcessContext& context) noexcept {
  for (const ParamChange& change : context.changes) gain_->aim(gain_from_db(change.value));
  scale_block(context.audio, gain_->take(context.audio.frames));
}

}  // namespace pypac
