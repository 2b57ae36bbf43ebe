// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/thread_role.hpp"
#include "host/delay_line.hpp"
#include "plugin/filter.hpp"

namespace pypac::test {

/// Gives its input `lag_frames` later and adds the loudest sample of its key, if it has one: a
/// filter with latency whose output tells where everything came from.
class LaggingFilter final : public Filter {
 public:
  [[nodiscard]] const PluginInfo& info() const noexcept override {
    static const PluginInfo lagging{
        .kind = "lagging",
        .params = {{.id = "lag_frames",
                    .type = ParamType::integer,
                    .max = 48000,
                    .fallback = 0.0,
                    .live = false},
                   {.id = "key", .type = ParamType::track, .fallback = std::string()},
                   {.id = "live_gain", .max = 10, .fallback = 1.0}}};
    return lagging;
  }
  void activate(const Activation& activation) override {
    lag_ = static_cast<std::uint32_t>(activation.values[0]);
    gain_ = static_cast<float>(activation.values[2]);
    line_.emplace(activation.channels, lag_, activation.max_frames);
  }
  void process(const ProcessContext& context) noexcept override {
    for (const ParamChange& change : context.changes)
      if (change.index == 2) gain_ = static_cast<float>(change.value);
    line_->process(lag_, context.audio);
    for (std::uint32_t c = 0; c < context.audio.channel_count; ++c)
      for (std::uint32_t i = 0; i < context.audio.frames; ++i) {
        float& sample = context.audio.channels[c][i];
        sample *= gain_;
        for (const BlockView& key : context.keys) sample += key.channels()[0][i];
      }
  }
  [[nodiscard]] std::uint32_t latency_frames() const noexcept override { return lag_; }

 private:
  std::uint32_t lag_ = 0;
  float gain_ = 1;
  std::optional<DelayLine> line_;
};

}  // namespace pypac::test
