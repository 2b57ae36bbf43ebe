// SPDX-License-Identifier: MIT
#pragma once

#include "filters/dynamics.hpp"

namespace pypac {

/// Closes where a track is quiet. OBS's times and thresholds: it opens and closes in a straight
/// line of the amplitude. A change of a parameter leaves it as far open as it is.
class Gate final : public GateDynamics {
 public:
  Gate() noexcept;
  [[nodiscard]] const PluginInfo& info() const noexcept override;

 private:
  [[nodiscard]] Tuning tuning() const noexcept override;
  /// A voice that sounds has no hole.
  void resume() noexcept override { open(); }
};

}  // namespace pypac
