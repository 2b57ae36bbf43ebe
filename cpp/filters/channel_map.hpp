// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "filters/stereo_matrix.hpp"
#include "plugin/filter.hpp"

namespace pypac {

/// Chooses what comes out on each side of a track.
class ChannelMap final : public Filter {
 public:
  [[nodiscard]] const PluginInfo& info() const noexcept override;
  void activate(const Activation& activation) override;
  void process(const ProcessContext& context) noexcept override;
  void reset() noexcept override { matrix_->forget(); }

 private:
  StereoGains gains_;
  std::optional<StereoMatrix> matrix_;  // pump only
};

}  // namespace pypac
