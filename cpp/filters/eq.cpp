// SPDX-License-Identifier: MIT
#include "filters/eq.hpp"

#include <string>

namespace pypac {
namespace {

constexpr std::array<double, Eq::kBands> kFrequencies{60, 150, 400, 1000, 2400, 6000, 10000, 15000};
constexpr std::size_t kParamsOfBand = 4;

PluginInfo describe() {
  PluginInfo info{.kind = "eq",
                  .help = "Makes parts of the spectrum louder or quieter: up to eight bands."};
  for (std::size_t i = 0; i < Eq::kBands; ++i) {
    const std::string band = "band" + std::to_string(i + 1);
    info.params.push_back({.id = band + "_type",
                           .type = ParamType::choice,
                           .fallback = std::string("off"),
                           .choices = {"off", "peak", "low_shelf", "high_shelf", "notch",
                                       "band_pass", "high_pass", "low_pass"},
                           .help = "What the band does; off: nothing."});
    info.params.push_back({.id = band + "_hz",
                           .unit = "Hz",
                           .min = 10,
                           .max = 20000,
                           .fallback = kFrequencies[i],
                           .scale = ParamScale::logarithmic,
                           .help = "The band's centre, or its corner."});
    info.params.push_back({.id = band + "_db",
                           .unit = "dB",
                           .min = -24,
                           .max = 24,
                           .fallback = 0.0,
                           .help = "How much louder a peak or shelf makes it."});
    info.params.push_back({.id = band + "_q",
                           .min = 0.1,
                           .max = 40,
                           .fallback = 0.71,
                           .scale = ParamScale::logarithmic,
                           .help = "How narrow the band is; of shelves and passes, how sharp "
                                   "their corner is."});
  }
  return info;
}

}  // namespace

const PluginInfo& Eq::info() const noexcept {
  static const PluginInfo info = describe();
  return info;
}

void Eq::keep(std::size_t index, double value) noexcept {
  Band& band = bands_[index / kParamsOfBand];
  band.changed = true;
  switch (index % kParamsOfBand) {
    case 0:
      band.shape = static_cast<Shape>(static_cast<int>(value));
      break;
    case 1:
      band.hz = value;
      break;
    case 2:
      band.gain_db = value;
      break;
    default:
      band.q = value;
  }
}

void Eq::design(BiquadCascade& cascade, double sample_rate) noexcept {
  for (std::size_t i = 0; i < kBands; ++i) {
    Band& band = bands_[i];
    if (!band.changed) continue;
    band.changed = false;
    if (band.shape == Shape::off)
      cascade.pass(i);
    else
      cascade.set(i, design_of(band, sample_rate));
  }
}

BiquadDesign Eq::design_of(const Band& band, double sample_rate) noexcept {
  switch (band.shape) {
    case Shape::low_shelf:
      return BiquadDesign::low_shelf(band.hz, band.q, sample_rate, band.gain_db);
    case Shape::high_shelf:
      return BiquadDesign::high_shelf(band.hz, band.q, sample_rate, band.gain_db);
    case Shape::notch:
      return BiquadDesign::notch(band.hz, band.q, sample_rate);
    case Shape::band_pass:
      return BiquadDesign::band_pass(band.hz, band.q, sample_rate);
    case Shape::high_pass:
      return BiquadDesign::high_pass(band.hz, band.q, sample_rate);
    case Shape::low_pass:
      return BiquadDesign::low_pass(band.hz, band.q, sample_rate);
    case Shape::off:
    case Shape::peak:
      break;
  }
  return BiquadDesign::peak(band.hz, band.q, sample_rate, band.gain_db);
}

}  // namespace pypac
