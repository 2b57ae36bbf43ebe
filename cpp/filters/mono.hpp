// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "filters/stereo_matrix.hpp"
#include "plugin/filter.hpp"

namespace pypac {

/// Puts the same on both sides of a track.
class Mono final : public Filter {
 public:
  [[nodiscard]] const PluginInfo& info() const noexcept override;
  void activate(const Activation& activation) override;
  void process(const ProcessContext& context) noexcept override;
  void reset() noexcept override { matrix_->forget(); }

 private:
  std::optional<StereoMatrix> matrix_;  // pump only
};

}  // namespace pypac
