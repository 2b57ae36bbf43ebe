// SPDX-License-Identifier: MIT
#include "filters/channel_map.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace pypac {
namespace {

enum Param : std::size_t { kLeft, kRight };

/// What a side gets of left and of right.
struct Share {
  float left;
  float right;
};

Share share_of(double choice) {
  if (choice == 0) return {1, 0};
  if (choice == 1) return {0, 1};
  if (choice == 2) return {0.5F, 0.5F};
  return {0, 0};
}

void choose(StereoGains& gains, std::size_t param, double choice) {
  const Share share = share_of(choice);
  (param == kLeft ? gains.left_of_left : gains.right_of_left) = share.left;
  (param == kLeft ? gains.left_of_right : gains.right_of_right) = share.right;
}

}  // namespace

const PluginInfo& ChannelMap::info() const noexcept {
  static const std::vector<std::string> choices{"left", "right", "mix", "none"};
  static const PluginInfo info{
      .kind = "channel_map",
      .help = "Chooses what comes out left and right, as to swap them.",
      .params = {{.id = "left",
                  .type = ParamType::choice,
                  .fallback = std::string("left"),
                  .choices = choices,
                  .help = "What comes out left: left, right, their mean, or nothing."},
                 {.id = "right",
                  .type = ParamType::choice,
                  .fallback = std::string("right"),
                  .choices = choices,
                  .help = "What comes out right: left, right, their mean, or nothing."}},
  };
  return info;
}

void ChannelMap::activate(const Activation& activation) {
  choose(gains_, kLeft, activation.values[kLeft]);
  choose(gains_, kRight, activation.values[kRight]);
  matrix_.emplace(activation.sample_rate, gains_);
}

void ChannelMap::process(const ProcessContext& context) noexcept {
  for (const ParamChange& change : context.changes) choose(gains_, change.index, change.value);
  matrix_->aim(gains_);
  matrix_->process(context.audio);
}

}  // namespace pypac
