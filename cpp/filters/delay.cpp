// SPDX-License-Identifier: MIT
#include "filters/delay.hpp"

#include <algorithm>
#include <cmath>

namespace pypac {

const PluginInfo& Delay::info() const noexcept {
  static const PluginInfo info{
      .kind = "delay",
      .help = "Makes a track later than the others, or earlier.",
      .params = {{.id = "delay_ms",
                  .unit = "ms",
                  .min = -500,
                  .max = 5000,
                  .live = false,
                  .help =
                      "How much later the track becomes; a negative value makes it earlier: all "
                      "other tracks wait."}},
  };
  return info;
}

void Delay::activate(const Activation& activation) {
  const auto frames = std::llround(activation.values[0] * activation.sample_rate / 1000);
  earlier_ = static_cast<std::uint32_t>(std::max(0LL, -frames));
  later_ = static_cast<std::size_t>(std::max(0LL, frames));
  line_.assign(activation.channels * later_, 0.0F);
  reset();
}

void Delay::reset() noexcept {
  at_ = 0;
  silent_ = later_;  // seconds of samples would take long to clear
}

void Delay::process(const ProcessContext& context) noexcept {
  if (later_ == 0) return;
  for (std::size_t done = 0; done < context.audio.frames;) {
    const std::size_t frames = std::min(context.audio.frames - done, later_ - at_);
    const std::size_t silent = std::min(frames, silent_);
    for (std::uint32_t c = 0; c < context.audio.channel_count; ++c) {
      float* const samples = context.audio.channels[c] + done;
      std::swap_ranges(samples, samples + frames, line_.begin() + (c * later_ + at_));
      std::fill_n(samples, silent, 0.0F);
    }
    silent_ -= silent;
    at_ = (at_ + frames) % later_;
    done += frames;
  }
}

}  // namespace pypac
