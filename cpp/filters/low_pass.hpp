// SPDX-License-Identifier: MIT
#pragma once

#include "filters/pass_filter.hpp"

namespace pypac {

/// Takes out what lies above a frequency: hiss and whistling.
class LowPass final : public PassFilter {
 public:
  [[nodiscard]] const PluginInfo& info() const noexcept override;

 private:
  void design(BiquadCascade& cascade, double sample_rate) noexcept override;
};

}  // namespace pypac
