// SPDX-License-Identifier: MIT
#include "filters/invert.hpp"

#include <string>

#include "plugin/block_math.hpp"

namespace pypac {
namespace {

constexpr double kBoth = 0;
constexpr double kLeft = 1;
constexpr double kRight = 2;

float left_of(double channels) {
  return channels == kRight ? 1 : -1;
}
float right_of(double channels) {
  return channels == kLeft ? 1 : -1;
}
float others_of(double channels) {
  return channels == kBoth ? -1 : 1;
}

}  // namespace

const PluginInfo& Invert::info() const noexcept {
  static const PluginInfo info{
      .kind = "invert",
      .help = "Inverts a track's polarity, as where two microphones hear one voice.",
      .params = {{.id = "channels",
                  .type = ParamType::choice,
                  .fallback = std::string("both"),
                  .choices = {"both", "left", "right"},
                  .help = "Which channels are inverted; both means all that a track has."}},
  };
  return info;
}

void Invert::activate(const Activation& activation) {
  const double channels = activation.values[0];
  const std::uint32_t frames = glide_frames(activation.sample_rate);
  left_.emplace(frames, left_of(channels), true);
  right_.emplace(frames, right_of(channels), true);
  others_.emplace(frames, others_of(channels), true);
}

void Invert::process(const ProcessContext& context) noexcept {
  for (const ParamChange& change : context.changes) {
    left_->aim(left_of(change.value));
    right_->aim(right_of(change.value));
    others_->aim(others_of(change.value));
  }
  const AudioBlock& block = context.audio;
  scale_block({block.channels, 1, block.frames}, left_->take(block.frames));
  const GlideBlock right = right_->take(block.frames);
  const GlideBlock others = others_->take(block.frames);
  if (block.channel_count < 2) return;
  scale_block({block.channels + 1, 1, block.frames}, right);
  scale_block({block.channels + 2, block.channel_count - 2, block.frames}, others);
}

void Invert::reset() noexcept {
  left_->forget();
  right_->forget();
  others_->forget();
}

}  // namespace pypac
