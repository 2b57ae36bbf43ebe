// SPDX-License-Identifier: MIT
#include "filters/gain.hpp"

#include <cmath>
#include <string>
#include <string_view>

#include "core/decibels.hpp"
#include "core/status.hpp"

namespace pypac {

void Gain::activate(std::uint32_t, std::uint32_t, std::uint32_t) {
  current_ = target_.load(std::memory_order_relaxed);
}

void Gain::process(const AudioBlock& block) noexcept {
  const float target = target_.load(std::memory_order_relaxed);
  const float step = (target - current_) / static_cast<float>(block.frames);
  for (std::uint32_t c = 0; c < block.channel_count; ++c) {
    float* const samples = block.channels[c];
    if (step == 0.0F) {
      for (std::uint32_t i = 0; i < block.frames; ++i) samples[i] *= target;
    } else {
      for (std::uint32_t i = 0; i < block.frames; ++i)
        samples[i] *= current_ + step * static_cast<float>(i + 1);
    }
  }
  current_ = target;
}

void Gain::set_parameter(const char* name, double value) {
  if (std::string_view(name) != "gain_db")
    throw Failure(ErrorKind::invalid_argument,
                  "the filter gain has no parameter \"" + std::string(name) + "\"", "use gain_db");
  if (!std::isfinite(value))
    throw Failure(ErrorKind::invalid_argument, "gain_db must be a finite number");
  target_.store(static_cast<float>(linear_from_db(value)), std::memory_order_relaxed);
}

}  // namespace pypac
