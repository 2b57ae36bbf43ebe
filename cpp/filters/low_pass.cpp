// SPDX-License-Identifier: MIT
#include "filters/low_pass.hpp"

namespace pypac {

const PluginInfo& LowPass::info() const noexcept {
  static const PluginInfo info =
      describe("low_pass", "Takes out what lies above a frequency: hiss and whistling.", 18000.0,
               "The level is 3 dB down here, and falls above.");
  return info;
}

void LowPass::design(BiquadCascade& cascade, double sample_rate) noexcept {
  for (std::size_t k = 0; k < stages_; ++k)
    cascade.set(k, BiquadDesign::low_pass(frequency_hz_, BiquadDesign::butterworth_q(k, stages_),
                                          sample_rate));
}

}  // namespace pypac
