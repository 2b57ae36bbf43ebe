// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>

#include "filters/cascade_filter.hpp"

namespace pypac {

/// Up to eight bands, each with a shape of its own.
class Eq final : public CascadeFilter {
 public:
  static constexpr std::size_t kBands = BiquadCascade::kMaxStages;

  [[nodiscard]] const PluginInfo& info() const noexcept override;

 private:
  enum class Shape { off, peak, low_shelf, high_shelf, notch, band_pass, high_pass, low_pass };

  struct Band {
    Shape shape = Shape::off;
    double hz = 1000;
    double gain_db = 0;
    double q = 0.71;
    bool changed = true;
  };

  void keep(std::size_t index, double value) noexcept override;
  void design(BiquadCascade& cascade, double sample_rate) noexcept override;
  [[nodiscard]] static BiquadDesign design_of(const Band& band, double sample_rate) noexcept;

  std::array<Band, kBands> bands_;  // pump only
};

}  // namespace pypac
