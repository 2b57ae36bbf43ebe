// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "core/glide.hpp"
#include "plugin/filter.hpp"

namespace pypac {

/// Turns the polarity of channels over.
class Invert final : public Filter {
 public:
  [[nodiscard]] const PluginInfo& info() const noexcept override;
  void activate(const Activation& activation) override;
  void process(const ProcessContext& context) noexcept override;
  void reset() noexcept override;

 private:
  std::optional<Glide> left_;  // pump only, as all below
  std::optional<Glide> right_;
  std::optional<Glide> others_;
};

}  // namespace pypac
