// SPDX-License-Identifier: MIT
#pragma once

#include "filters/dynamics.hpp"

namespace pypac {

/// Makes what is above a threshold quieter: feed-forward, the envelope on the linear amplitude,
/// gain straight from the curve. With a knee of 0 and all else as it comes it is OBS's.
class Compressor final : public CurveDynamics {
 public:
  Compressor() noexcept;
  [[nodiscard]] const PluginInfo& info() const noexcept override;

 private:
  [[nodiscard]] Tuning tuning() const noexcept override;
};

}  // namespace pypac
