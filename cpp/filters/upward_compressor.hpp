// SPDX-License-Identifier: MIT
#pragma once

#include "filters/dynamics.hpp"

namespace pypac {

/// Makes what is below a threshold louder, and less so again towards -60 dB: OBS's, with one gain
/// for all channels.
class UpwardCompressor final : public CurveDynamics {
 public:
  UpwardCompressor() noexcept;
  [[nodiscard]] const PluginInfo& info() const noexcept override;

 private:
  [[nodiscard]] Tuning tuning() const noexcept override;
};

}  // namespace pypac
