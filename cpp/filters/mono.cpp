// SPDX-License-Identifier: MIT
#include "filters/mono.hpp"

#include <string>

namespace pypac {
namespace {

StereoGains gains_of(double channel) {
  if (channel == 1) return {1, 0, 1, 0};
  if (channel == 2) return {0, 1, 0, 1};
  return {0.5F, 0.5F, 0.5F, 0.5F};
}

}  // namespace

const PluginInfo& Mono::info() const noexcept {
  static const PluginInfo info{
      .kind = "mono",
      .help = "Puts the same on both sides, as for a microphone that is on one side alone.",
      .params = {{.id = "channel",
                  .type = ParamType::choice,
                  .fallback = std::string("mix"),
                  .choices = {"mix", "left", "right"},
                  .help = "What both sides get: the mean of left and right, or one of them."}},
  };
  return info;
}

void Mono::activate(const Activation& activation) {
  matrix_.emplace(activation.sample_rate, gains_of(activation.values[0]));
}

void Mono::process(const ProcessContext& context) noexcept {
  for (const ParamChange& change : context.changes) matrix_->aim(gains_of(change.value));
  matrix_->process(context.audio);
}

}  // namespace pypac
