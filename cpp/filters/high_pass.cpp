// SPDX-License-Identifier: MIT
#include "filters/high_pass.hpp"

namespace pypac {

const PluginInfo& HighPass::info() const noexcept {
  static const PluginInfo info = describe(
      "high_pass", "Takes out what lies below a frequency: rumble, wind and handling noise.", 80.0,
      "The level is 3 dB down here, and falls below.");
  return info;
}

void HighPass::design(BiquadCascade& cascade, double sample_rate) noexcept {
  for (std::size_t k = 0; k < stages_; ++k)
    cascade.set(k, BiquadDesign::high_pass(frequency_hz_, BiquadDesign::butterworth_q(k, stages_),
                                           sample_rate));
}

}  // namespace pypac
