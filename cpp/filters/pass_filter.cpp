// SPDX-License-Identifier: MIT
#include "filters/pass_filter.hpp"

#include <utility>

namespace pypac {

PluginInfo PassFilter::describe(std::string kind, std::string help, double frequency_hz,
                                std::string frequency_help) {
  return {
      .kind = std::move(kind),
      .help = std::move(help),
      .params = {{.id = "frequency_hz",
                  .unit = "Hz",
                  .min = 10,
                  .max = 20000,
                  .fallback = frequency_hz,
                  .scale = ParamScale::logarithmic,
                  .help = std::move(frequency_help)},
                 {.id = "slope_db",
                  .type = ParamType::choice,
                  .unit = "dB",
                  .fallback = std::string("12"),
                  .choices = {"12", "24", "36", "48"},
                  .live = false,
                  .help = "How steeply the level falls, in dB per octave (Butterworth)."}},
  };
}

void PassFilter::keep(std::size_t index, double value) noexcept {
  if (index == 0)
    frequency_hz_ = value;
  else
    stages_ = static_cast<std::size_t>(value) + 1;
}

}  // namespace pypac
