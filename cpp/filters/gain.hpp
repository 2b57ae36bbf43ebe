// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

#include "plugin/filter.hpp"

namespace pypac {

/// Multiplies by `gain_db`. A change glides over one block, so that it does not click.
class Gain final : public Filter {
 public:
  void activate(std::uint32_t sample_rate, std::uint32_t channels,
                std::uint32_t max_frames) override;
  void deactivate() noexcept override {}
  void process(const AudioBlock& block) noexcept override;
  void set_parameter(const char* name, double value) override;

 private:
  std::atomic<float> target_{1.0F};  // control thread writes, pump reads
  float current_ = 1.0F;             // pump only
};

}  // namespace pypac
