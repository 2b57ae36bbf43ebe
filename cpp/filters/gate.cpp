// SPDX-License-Identifier: MIT
#include "filters/gate.hpp"

#include <algorithm>

#include "core/decibels.hpp"

namespace pypac {
namespace {

enum Param : std::size_t {
  kOpen,
  kClose,
  kAttack,
  kHold,
  kRelease,
  kRange,
};

constexpr double kSilenceDb = -96;
// The level falls from one threshold to the other in the time of a wave of 75 Hz.
constexpr double kFallSeconds = 1.0 / 75;
// Nor does it stand still where both are the same.
constexpr double kLeastFall = 0.1;

}  // namespace

Gate::Gate() noexcept : GateDynamics(true, Opens::in_amplitude) {}

const PluginInfo& Gate::info() const noexcept {
  static const PluginInfo info{
      .kind = "gate",
      .help = "Silences a track while it is quiet.",
      .params =
          {
              level_param("open_db", kSilenceDb, 0, -26, "The level above which it opens."),
              level_param("close_db", kSilenceDb, 0, -32,
                          "The level below which it closes; open_db is the highest that counts."),
              time_param("attack_ms", 0, 10000, 25, "How long it takes to open."),
              time_param("hold_ms", 0, 10000, 200, "How long it stays open after the last sound."),
              time_param("release_ms", 0, 10000, 150, "How long it takes to close."),
              level_param("range_db", kSilenceDb, 0, kSilenceDb,
                          "How much quieter a closed gate makes the track; -96: silent."),
              look_ahead_param(),
              optional_key_param(),
              key_low_param(10),
              key_high_param(20000),
          },
      .reduces = true,
  };
  return info;
}

GateDynamics::Tuning Gate::tuning() const noexcept {
  Tuning tuned;
  const double open = linear_from_db(value(kOpen));
  const double close = std::min(open, linear_from_db(value(kClose)));
  tuned.ramp.open_above = static_cast<float>(open);
  tuned.ramp.close_below = static_cast<float>(close);
  tuned.ramp.slack = static_cast<float>(std::max(open - close, kLeastFall * open) /
                                        (kFallSeconds * sample_rate()));
  // What is heard now was listened to earlier.
  tuned.ramp.hold = frames_of(value(kHold)) + static_cast<float>(latency_frames());
  tuned.ramp.up = step_of(kAttack);
  tuned.ramp.down = step_of(kRelease);
  const float closed = value(kRange) > kSilenceDb ? gain_from_db(value(kRange)) : 0.0F;
  tuned.stages.gain.dry = closed;
  tuned.stages.gain.wet = 1 - closed;
  return tuned;
}

}  // namespace pypac
