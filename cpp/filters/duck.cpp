// SPDX-License-Identifier: MIT
#include "filters/duck.hpp"

#include <algorithm>

#include "core/decibels.hpp"

namespace pypac {
namespace {

enum Param : std::size_t {
  kKey,
  kThreshold,
  kRange,
  kAttack,
  kHold,
  kRelease,
};

// From one crest of a wave to the next: half a wave of 50 Hz.
constexpr double kLeastHoldMs = 10;

}  // namespace

Duck::Duck() noexcept : GateDynamics(false, Opens::in_decibels) {}

const PluginInfo& Duck::info() const noexcept {
  static const PluginInfo info{
      .kind = "duck",
      .help = "Makes a track quieter while other tracks sound.",
      .params =
          {
              {.id = "key",
               .type = ParamType::tracks,
               .help = "Tracks that make this one quieter, the loudest of them; a muted one does "
                       "not."},
              level_param("threshold_db", -60, 0, -45, "The level of a key above which it works."),
              level_param("range_db", -60, 0, -12, "How much quieter it makes the track."),
              time_param("attack_ms", 1, 1000, 50, "How long the track takes to become quieter."),
              time_param("hold_ms", 0, 5000, 300,
                         "How long the track stays quieter after the last sound of a key."),
              time_param("release_ms", 1, 5000, 400, "How long the track takes to come back."),
              key_low_param(200),
              key_high_param(6000),
              look_ahead_param(),
          },
      .reduces = true,
  };
  return info;
}

GateDynamics::Tuning Duck::tuning() const noexcept {
  Tuning tuned;
  tuned.ramp.open_above = tuned.ramp.close_below = gain_from_db(value(kThreshold));
  tuned.ramp.slack = 1e9F;  // the level itself; the hold bridges the gaps between two waves
  tuned.ramp.hold =
      frames_of(std::max(value(kHold), kLeastHoldMs)) + static_cast<float>(latency_frames());
  tuned.ramp.up = tuned.ramp.up_held = step_of(kAttack);
  tuned.ramp.down = step_of(kRelease);
  tuned.stages.gain.depth = log2_from_db(value(kRange));
  return tuned;
}

}  // namespace pypac
