// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "core/glide.hpp"
#include "plugin/filter.hpp"

namespace pypac {

/// Multiplies by `gain_db`.
class Gain final : public Filter {
 public:
  [[nodiscard]] const PluginInfo& info() const noexcept override;
  void activate(const Activation& activation) override;
  void process(const ProcessContext& context) noexcept override;
  void reset() noexcept override { gain_->forget(); }

 private:
  std::optional<Glide> gain_;  // pump only
};

}  // namespace pypac
