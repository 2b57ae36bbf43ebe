// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "dsp/loudness.hpp"
#include "dsp/sliding_sum.hpp"
#include "filters/bank_filter.hpp"
#include "plugin/filter.hpp"

namespace pypac {

/// Brings a track slowly to a loudness.
///
/// The loudness of what comes in is measured as EBU R 128 does, over what was above the gate within
/// the window. Every 10 ms the gain takes a step towards what is wanted, no faster than it may, and
/// goes there in a straight line; below the gate it stands still.
class Leveller final : public BankFilter {
 public:
  [[nodiscard]] const PluginInfo& info() const noexcept override;
  void activate(const Activation& activation) override;
  void process_bank(std::span<Filter* const> bank,
                    std::span<const ProcessContext> contexts) noexcept override;
  void reset() noexcept override;
  [[nodiscard]] float reduction_db() const noexcept override {
    return reduction_db_.load(std::memory_order_relaxed);
  }

 private:
  void begin(const ProcessContext& context) noexcept;
  void scale(const AudioBlock& block, std::uint32_t begin, std::uint32_t frames) noexcept;
  void end_step() noexcept;
  void set_value(std::size_t index, double value) noexcept;

  KWeighting weighting_{};
  std::uint32_t step_frames_ = 1;
  std::vector<double> weights_;
  std::vector<LoudnessLane> lanes_;      // pump only, as all below
  std::optional<SlidingSum> momentary_;  // of all steps, for the gate
  std::optional<SlidingSum> window_;     // of the steps above the gate
  double target_lufs_ = 0;
  double gate_energy_ = 0;
  double up_db_ = 0;
  double down_db_ = 0;
  double step_db_ = 0;  // at most so much in a step
  double gain_db_ = 0;
  float from_ = 1;          // the gain at the step's beginning
  float to_ = 1;            // and at its end
  std::uint32_t done_ = 0;  // frames of the step
  std::atomic<float> reduction_db_{0};
};

}  // namespace pypac
