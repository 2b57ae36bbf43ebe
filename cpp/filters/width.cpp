// SPDX-License-Identifier: MIT
#include "filters/width.hpp"

namespace pypac {
namespace {

StereoGains gains_of(double width) {
  const auto own = static_cast<float>((1 + width) / 2);
  const auto other = static_cast<float>((1 - width) / 2);
  return {own, other, other, own};
}

}  // namespace

const PluginInfo& Width::info() const noexcept {
  static const PluginInfo info{
      .kind = "width",
      .help = "Makes a track's stereo image wider or narrower.",
      .params = {{.id = "width",
                  .min = 0,
                  .max = 2,
                  .fallback = 1.0,
                  .help = "0 is mono, 1 leaves the image as it is, 2 doubles what differs between "
                          "left and right."}},
  };
  return info;
}

void Width::activate(const Activation& activation) {
  matrix_.emplace(activation.sample_rate, gains_of(activation.values[0]));
}

void Width::process(const ProcessContext& context) noexcept {
  for (const ParamChange& change : context.changes) matrix_->aim(gains_of(change.value));
  matrix_->process(context.audio);
}

}  // namespace pypac
