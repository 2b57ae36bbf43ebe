// SPDX-License-Identifier: MIT
#include "engine/loudness.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "core/thread_role.hpp"
#include "engine/meter.hpp"

namespace pypac {
namespace {

constexpr std::size_t kMomentarySteps = 40;
constexpr std::size_t kShortTermSteps = 300;
constexpr std::uint32_t kHopSteps = 10;

// The filters' own rounding, and what is left in them: no level.
constexpr float kSilence = 1e-12F;

float lufs(const std::atomic<float>& published) noexcept {
  const float energy = published.load(std::memory_order_relaxed);
  return energy > kSilence ? static_cast<float>(lufs_from_energy(energy)) : LoudnessValues::kNone;
}

void publish(std::atomic<float>& to, double energy) noexcept {
  to.store(static_cast<float>(energy), std::memory_order_relaxed);
}

void publish_highest(std::atomic<float>& to, double energy) noexcept {
  if (static_cast<float>(energy) > to.load(std::memory_order_relaxed)) publish(to, energy);
}

}  // namespace

LoudnessMeter::LoudnessMeter(std::uint32_t sample_rate, std::uint32_t channels,
                             std::uint32_t max_frames)
    : weighting_(k_weighting(sample_rate)),
      sample_rate_(sample_rate),
      step_frames_(loudness_step_frames(sample_rate)),
      lanes_(channels),
      true_peaks_(channels, TruePeak(max_frames)),
      frames_left_(step_frames_),
      steps_left_(kHopSteps),
      momentary_(kMomentarySteps),
      short_term_(kShortTermSteps) {
  PYPAC_ASSERT_NOT_REALTIME();
  assert(channels <= kMostLanes);
  for (std::uint32_t c = 0; c < channels; ++c) weights_.push_back(channel_weight(c, channels));
}

void LoudnessMeter::process(std::span<const Input> inputs, std::uint32_t frames) noexcept {
  std::array<LoudnessLane*, kMostLanes> lanes;
  std::size_t count = 0;
  for (const Input& input : inputs) {
    input.meter->begin(input.block, frames);
    for (LoudnessLane& lane : input.meter->lanes_) lanes[count++] = &lane;
  }
  if (count == 0) return;
  const KWeighting& weighting = inputs[0].meter->weighting_;
  while (frames > 0) {
    // Up to where the first of them ends a step: meters that came at other times have other steps.
    std::uint32_t piece = frames;
    for (const Input& input : inputs) piece = std::min(piece, input.meter->frames_left_);
    weigh_lanes(weighting, std::span(lanes).first(count), piece);
    frames -= piece;
    for (const Input& input : inputs) {
      LoudnessMeter& meter = *input.meter;
      meter.frames_left_ -= piece;
      if (meter.frames_left_ == 0) meter.end_step();
    }
  }
}

void LoudnessMeter::begin(const BlockView& block, std::uint32_t frames) noexcept {
  assert(block.channel_count() == lanes_.size());
  for (std::size_t c = 0; c < lanes_.size(); ++c) lanes_[c].samples = block.channels()[c];
  if (restart_.exchange(false, std::memory_order_relaxed)) {
    blocks_.clear();
    windows_.clear();
    steps_ = 0;
    // The falling peak as well: below it none is looked for.
    for (std::atomic<float>* const one :
         {&integrated_energy_, &max_momentary_energy_, &max_short_term_energy_, &range_,
          &true_peak_, &max_true_peak_})
      one->store(0, std::memory_order_relaxed);
  }
  find_true_peak(block, frames);
}

void LoudnessMeter::find_true_peak(const BlockView& block, std::uint32_t frames) noexcept {
  if (frames != frames_of_fall_) {
    frames_of_fall_ = frames;
    fall_ = peak_fall(frames, sample_rate_);
  }
  float peak = true_peak_.load(std::memory_order_relaxed) * fall_;
  for (std::size_t c = 0; c < true_peaks_.size(); ++c) {
    const float loudest = true_peaks_[c].process(block.channels()[c], frames, peak);
    if (std::isfinite(loudest)) peak = loudest;
  }
  publish(true_peak_, peak);
  publish_highest(max_true_peak_, peak);
}

void LoudnessMeter::end_step() noexcept {
  frames_left_ = step_frames_;
  double sum = 0;
  for (std::size_t c = 0; c < lanes_.size(); ++c) sum += weights_[c] * take_sum(lanes_[c]);
  const double energy = sum / step_frames_;
  momentary_.add(energy);
  short_term_.add(energy);
  ++steps_;
  const double momentary = momentary_.sum() / kMomentarySteps;
  const double short_term = short_term_.sum() / kShortTermSteps;
  publish(momentary_energy_, momentary);
  publish(short_term_energy_, short_term);
  // What was heard before a restart is no maximum.
  if (steps_ >= kMomentarySteps) publish_highest(max_momentary_energy_, momentary);
  if (steps_ >= kShortTermSteps) publish_highest(max_short_term_energy_, short_term);
  if (--steps_left_ == 0) end_hop();
}

void LoudnessMeter::end_hop() noexcept {
  steps_left_ = kHopSteps;
  if (steps_ < kMomentarySteps) return;
  blocks_.add(momentary_.sum() / kMomentarySteps);
  publish(integrated_energy_, blocks_.gated_energy());
  if (steps_ < kShortTermSteps) return;
  windows_.add(short_term_.sum() / kShortTermSteps);
  range_.store(static_cast<float>(windows_.range_lu()), std::memory_order_relaxed);
}

LoudnessValues LoudnessMeter::values() const noexcept {
  return {.true_peak = true_peak_.load(std::memory_order_relaxed),
          .max_true_peak = max_true_peak_.load(std::memory_order_relaxed),
          .momentary = lufs(momentary_energy_),
          .short_term = lufs(short_term_energy_),
          .integrated = lufs(integrated_energy_),
          .range = range_.load(std::memory_order_relaxed),
          .max_momentary = lufs(max_momentary_energy_),
          .max_short_term = lufs(max_short_term_energy_)};
}

}  // namespace pypac
