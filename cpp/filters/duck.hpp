// SPDX-License-Identifier: MIT
#pragma once

#include "filters/dynamics.hpp"

namespace pypac {

/// Makes a track quieter while others sound, in a straight line of decibels. Without a key that is
/// heard nothing happens.
class Duck final : public GateDynamics {
 public:
  Duck() noexcept;
  [[nodiscard]] const PluginInfo& info() const noexcept override;

 private:
  [[nodiscard]] Tuning tuning() const noexcept override;
};

}  // namespace pypac
