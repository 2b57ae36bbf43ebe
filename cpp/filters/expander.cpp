// SPDX-License-Identifier: MIT
#include "filters/expander.hpp"

#include "core/decibels.hpp"

namespace pypac {
namespace {

enum Param : std::size_t {
  kRatio,
  kThreshold,
  kAttack,
  kRelease,
  kOutputGain,
  kDetector,
  kKnee,
  kRange,
};

}  // namespace

Expander::Expander() noexcept : CurveDynamics(true, Smooths::gain) {}

const PluginInfo& Expander::info() const noexcept {
  static const PluginInfo info{
      .kind = "expander",
      .help = "Makes quiet parts of a track quieter.",
      .params =
          {
              ratio_param(1, 20, 2, "How many dB less of output 1 dB less of input makes."),
              level_param("threshold_db", -60, 0, -40, "The level below which it works."),
              time_param("attack_ms", 1, 100, 10,
                         "The time in which the gain rises by 63 % of its way, in dB."),
              time_param("release_ms", 1, 1000, 50,
                         "The time in which the gain falls by 63 % of its way, in dB."),
              level_param("output_gain_db", -32, 32, 0, "How much louder all of it becomes."),
              detector_param("rms"),
              level_param("knee_db", 0, 20, 0,
                          "How wide the bend around the threshold is; 0: a corner."),
              level_param("range_db", -96, 0, -60, "How much quieter it makes the track at most."),
              optional_key_param(),
          },
      .reduces = true,
  };
  return info;
}

CurveDynamics::Tuning Expander::tuning() const noexcept {
  Tuning tuned{
      .mean = is_on(kDetector), .rise = coefficient(kAttack), .fall = coefficient(kRelease)};
  LevelCurve& curve = tuned.stages.curve;
  curve.sign = -1;
  curve.threshold = log2_from_db(value(kThreshold));
  curve.slope = static_cast<float>(1 - value(kRatio));
  curve.low = log2_from_db(value(kRange));
  curve.high = 0;
  set_knee(curve, value(kKnee));
  tuned.stages.gain.wet = gain_from_db(value(kOutputGain));
  return tuned;
}

}  // namespace pypac
