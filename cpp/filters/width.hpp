// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "filters/stereo_matrix.hpp"
#include "plugin/filter.hpp"

namespace pypac {

/// Makes a track's stereo image wider or narrower: its middle (left + right) stays, its sides
/// (left - right) are scaled.
class Width final : public Filter {
 public:
  [[nodiscard]] const PluginInfo& info() const noexcept override;
  void activate(const Activation& activation) override;
  void process(const ProcessContext& context) noexcept override;
  void reset() noexcept override { matrix_->forget(); }

 private:
  std::optional<StereoMatrix> matrix_;  // pump only
};

}  // namespace pypac
