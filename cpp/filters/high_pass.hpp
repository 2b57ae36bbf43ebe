// SPDX-License-Identifier: MIT
#pragma once

#include "filters/pass_filter.hpp"

namespace pypac {

/// Takes out what lies below a frequency: rumble, wind and handling noise.
class HighPass final : public PassFilter {
 public:
  [[nodiscard]] const PluginInfo& info() const noexcept override;

 private:
  void design(BiquadCascade& cascade, double sample_rate) noexcept override;
};

}  // namespace pypac
