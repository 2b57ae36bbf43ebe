// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include "filters/cascade_filter.hpp"

namespace pypac {

/// What high_pass and low_pass share: Butterworth filters of 2 to 8 orders.
class PassFilter : public CascadeFilter {
 protected:
  [[nodiscard]] static PluginInfo describe(std::string kind, std::string help, double frequency_hz,
                                           std::string frequency_help);
  void keep(std::size_t index, double value) noexcept final;

  double frequency_hz_ = 0;  // pump only
  std::size_t stages_ = 1;   // pump only
};

}  // namespace pypac
