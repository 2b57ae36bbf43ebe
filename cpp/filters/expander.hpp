// SPDX-License-Identifier: MIT
#pragma once

#include "filters/dynamics.hpp"

namespace pypac {

/// Makes what is below a threshold quieter. Attack and release work on the gain in decibels, as in
/// OBS's; unlike there one gain goes for all channels.
class Expander final : public CurveDynamics {
 public:
  Expander() noexcept;
  [[nodiscard]] const PluginInfo& info() const noexcept override;

 private:
  [[nodiscard]] Tuning tuning() const noexcept override;
};

}  // namespace pypac
