// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "filters/stereo_matrix.hpp"
#include "plugin/filter.hpp"

namespace pypac {

/// Turns one side of a track down. In a track with one channel it does nothing.
class Pan final : public Filter {
 public:
  [[nodiscard]] const PluginInfo& info() const noexcept override;
  void activate(const Activation& activation) override;
  void process(const ProcessContext& context) noexcept override;
  void reset() noexcept override { matrix_->forget(); }

 private:
  std::optional<StereoMatrix> matrix_;  // pump only
};

}  // namespace pypac
