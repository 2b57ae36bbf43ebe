// SPDX-License-Identifier: MIT
#include "filters/upward_compressor.hpp"

#include "core/decibels.hpp"

namespace pypac {
namespace {

enum Param : std::size_t {
  kRatio,
  kThreshold,
  kAttack,
  kRelease,
  kKnee,
  kOutputGain,
  kDetector,
};

constexpr double kSilenceDb = -60;  // nothing there becomes louder

}  // namespace

UpwardCompressor::UpwardCompressor() noexcept : CurveDynamics(true, Smooths::gain) {}

const PluginInfo& UpwardCompressor::info() const noexcept {
  static const PluginInfo info{
      .kind = "upward_compressor",
      .help = "Makes quiet parts of a track louder, but not its silence.",
      .params =
          {
              ratio_param(0, 1, 0.5,
                          "By how many dB the output falls where the input falls by 1 dB."),
              level_param("threshold_db", -60, 0, -20, "The level below which it works."),
              time_param("attack_ms", 1, 100, 10,
                         "The time in which the gain rises by 63 % of its way, in dB."),
              time_param("release_ms", 1, 1000, 50,
                         "The time in which the gain falls by 63 % of its way, in dB."),
              level_param("knee_db", 0, 20, 10,
                          "How wide the bend around the threshold is; 0: a corner."),
              level_param("output_gain_db", -32, 32, 0, "How much louder all of it becomes."),
              detector_param("rms"),
          },
  };
  return info;
}

CurveDynamics::Tuning UpwardCompressor::tuning() const noexcept {
  Tuning tuned{
      .mean = is_on(kDetector), .rise = coefficient(kAttack), .fall = coefficient(kRelease)};
  LevelCurve& curve = tuned.stages.curve;
  curve.sign = -1;
  curve.threshold = log2_from_db(value(kThreshold));
  curve.bottom = log2_from_db(kSilenceDb);
  curve.slope = static_cast<float>(1 - value(kRatio));
  curve.low = 0;
  set_knee(curve, value(kKnee));
  tuned.stages.gain.wet = gain_from_db(value(kOutputGain));
  return tuned;
}

}  // namespace pypac
