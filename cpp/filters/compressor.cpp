// SPDX-License-Identifier: MIT
#include "filters/compressor.hpp"

#include "core/decibels.hpp"

namespace pypac {
namespace {

enum Param : std::size_t {
  kRatio,
  kThreshold,
  kAttack,
  kRelease,
  kOutputGain,
  kKnee,
  kDetector,
  kLookAhead,
  kMix,
  kRange,
  kAutoGain,
};

}  // namespace

Compressor::Compressor() noexcept : CurveDynamics(true, Smooths::level) {}

const PluginInfo& Compressor::info() const noexcept {
  static const PluginInfo info{
      .kind = "compressor",
      .help = "Makes loud parts of a track quieter.",
      .params =
          {
              ratio_param(1, 64, 10, "How many dB more of input make 1 dB more of output."),
              level_param("threshold_db", -60, 0, -18, "The level above which it works."),
              time_param("attack_ms", 0.1, 500, 6,
                         "The time in which it notices 63 % of a rise in level."),
              time_param("release_ms", 1, 2000, 60,
                         "The time in which it notices 63 % of a fall in level."),
              level_param("output_gain_db", -32, 32, 0, "How much louder all of it becomes."),
              level_param("knee_db", 0, 24, 0,
                          "How wide the bend around the threshold is; 0: a corner."),
              detector_param("peak"),
              look_ahead_param(),
              {.id = "mix",
               .max = 1,
               .fallback = 1.0,
               .help =
                   "How much of the compressed sound is heard; the rest is the track as it was."},
              level_param("range_db", -60, 0, -60, "How much quieter it makes the track at most."),
              {.id = "auto_gain",
               .type = ParamType::boolean,
               .fallback = false,
               .help = "Makes it louder by half of what the loudest sound, at 0 dBFS, loses."},
              optional_key_param(),
              key_low_param(10),
              key_high_param(20000),
          },
      .reduces = true,
  };
  return info;
}

CurveDynamics::Tuning Compressor::tuning() const noexcept {
  Tuning tuned{
      .mean = is_on(kDetector), .rise = coefficient(kAttack), .fall = coefficient(kRelease)};
  LevelCurve& curve = tuned.stages.curve;
  curve.threshold = log2_from_db(value(kThreshold));
  curve.slope = static_cast<float>(1 / value(kRatio) - 1);
  curve.low = log2_from_db(value(kRange));
  curve.high = 0;
  set_knee(curve, value(kKnee));
  const double make_up_db = value(kOutputGain) - (is_on(kAutoGain) ? curve_db(curve, 0) / 2 : 0.0);
  const double mix = value(kMix);
  tuned.stages.gain.dry = static_cast<float>(1 - mix);
  tuned.stages.gain.wet = static_cast<float>(mix * linear_from_db(make_up_db));
  return tuned;
}

}  // namespace pypac
