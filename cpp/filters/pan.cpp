// SPDX-License-Identifier: MIT
#include "filters/pan.hpp"

#include <cmath>
#include <numbers>

namespace pypac {
namespace {

/// Sine law: at 0 both sides are as they are, at -1 and 1 the far one is silent.
StereoGains gains_of(double pan) {
  const auto far_side = static_cast<float>(
      std::fabs(pan) < 1 ? std::cos(std::fabs(pan) * std::numbers::pi / 2) : 0.0);
  return {.left_of_left = pan > 0 ? far_side : 1, .right_of_right = pan < 0 ? far_side : 1};
}

}  // namespace

const PluginInfo& Pan::info() const noexcept {
  static const PluginInfo info{
      .kind = "pan",
      .help = "Moves a stereo track to the left or right: the far side falls, the near one stays.",
      .params = {{.id = "pan",
                  .min = -1,
                  .max = 1,
                  .fallback = 0.0,
                  .help =
                      "-1 is left, 1 is right; at 0 both sides stay as they are, at 0.5 the far "
                      "side is 3 dB quieter."}},
  };
  return info;
}

void Pan::activate(const Activation& activation) {
  matrix_.emplace(activation.sample_rate, gains_of(activation.values[0]));
}

void Pan::process(const ProcessContext& context) noexcept {
  for (const ParamChange& change : context.changes) matrix_->aim(gains_of(change.value));
  if (context.audio.channel_count > 1) matrix_->process(context.audio);
}

}  // namespace pypac
