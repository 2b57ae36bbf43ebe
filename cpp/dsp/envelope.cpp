// SPDX-License-Identifier: MIT
#include "dsp/envelope.hpp"

#include <algorithm>
#include <cmath>

#include "dsp/wide_lanes.hpp"

namespace pypac {
namespace {

const double kLog2OfDb = std::log2(10.0) / 20;

}  // namespace

const EnvelopeKernels& chosen_envelope_kernels() noexcept {
  return chosen_kernel(narrow::envelope_kernels, PYPAC_WIDE(envelope_kernels))();
}

float log2_from_db(double db) noexcept {
  return static_cast<float>(db * kLog2OfDb);
}

double db_from_log2(double log2) noexcept {
  return log2 / kLog2OfDb;
}

float follower_coefficient(double ms, std::uint32_t sample_rate) noexcept {
  return static_cast<float>(std::exp(-1000 / (ms * sample_rate)));
}

float mean_coefficient(std::uint32_t sample_rate) noexcept {
  return static_cast<float>(std::exp2(-100.0 / sample_rate));
}

void set_knee(LevelCurve& curve, double knee_db) noexcept {
  const float knee = log2_from_db(knee_db);
  curve.half_knee = knee / 2;
  curve.knee_share = knee > 0 ? 1 / (2 * knee) : 0;
}

double curve_db(const LevelCurve& curve, double level_db) noexcept {
  const double level = level_db * kLog2OfDb;
  const double over =
      std::min(curve.sign * (level - curve.threshold), level - double{curve.bottom});
  const double in_knee = std::clamp(over + curve.half_knee, 0.0, 2.0 * curve.half_knee);
  const double bent = in_knee * in_knee * curve.knee_share + std::max(over - curve.half_knee, 0.0);
  return db_from_log2(std::clamp(curve.slope * bent, double{curve.low}, double{curve.high}));
}

}  // namespace pypac
