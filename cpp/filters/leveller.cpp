// SPDX-License-Identifier: MIT
#include "filters/leveller.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/decibels.hpp"

namespace pypac {
namespace {

constexpr double kStepsPerSecond = 100;
constexpr std::size_t kMomentarySteps = 40;
// A first guess from less than that would be one of a syllable.
constexpr std::size_t kLeastSteps = 40;
constexpr std::size_t kMostLanes = 64;  // that are measured at once

enum Param : std::size_t { kTarget, kWindow, kGate, kUp, kDown, kSpeed };

}  // namespace

const PluginInfo& Leveller::info() const noexcept {
  static const PluginInfo info{
      .kind = "leveller",
      .help = "Brings a track slowly to a loudness, and stands still while it is silent.",
      .params = {{.id = "target_lufs",
                  .unit = "LUFS",
                  .min = -40,
                  .max = -6,
                  .fallback = -18.0,
                  .help = "The loudness that the track is brought to."},
                 {.id = "window_ms",
                  .unit = "ms",
                  .min = 400,
                  .max = 10000,
                  .fallback = 3000.0,
                  .scale = ParamScale::logarithmic,
                  .live = false,
                  .help = "Over how much sound above the gate the loudness is measured."},
                 {.id = "gate_lufs",
                  .unit = "LUFS",
                  .min = -70,
                  .max = -20,
                  .fallback = -50.0,
                  .help = "What is quieter does not count, and leaves the gain as it is."},
                 {.id = "up_db",
                  .unit = "dB",
                  .min = 0,
                  .max = 30,
                  .fallback = 10.0,
                  .help = "How much louder the track becomes at most."},
                 {.id = "down_db",
                  .unit = "dB",
                  .min = 0,
                  .max = 30,
                  .fallback = 20.0,
                  .help = "How much quieter the track becomes at most."},
                 {.id = "speed_db_s",
                  .unit = "dB/s",
                  .min = 0.1,
                  .max = 20,
                  .fallback = 1.0,
                  .scale = ParamScale::logarithmic,
                  .help = "How fast the gain moves at most."}},
      .reduces = true,
  };
  return info;
}

void Leveller::activate(const Activation& activation) {
  weighting_ = k_weighting(activation.sample_rate);
  step_frames_ = loudness_step_frames(activation.sample_rate);
  lanes_.assign(activation.channels, LoudnessLane{});
  weights_.clear();
  for (std::uint32_t c = 0; c < activation.channels; ++c)
    weights_.push_back(channel_weight(c, activation.channels));
  momentary_.emplace(kMomentarySteps);
  window_.emplace(
      static_cast<std::size_t>(std::lround(activation.values[kWindow] / 1000 * kStepsPerSecond)));
  for (std::size_t i = 0; i < activation.values.size(); ++i) set_value(i, activation.values[i]);
  reset();
}

void Leveller::set_value(std::size_t index, double value) noexcept {
  switch (index) {
    case kTarget:
      target_lufs_ = value;
      break;
    case kGate:
      gate_energy_ = energy_from_lufs(value);
      break;
    case kUp:
      up_db_ = value;
      break;
    case kDown:
      down_db_ = value;
      break;
    case kSpeed:
      step_db_ = value / kStepsPerSecond;
      break;
    default:
      break;
  }
}

void Leveller::reset() noexcept {
  std::fill(lanes_.begin(), lanes_.end(), LoudnessLane{});
  momentary_->clear();
  window_->clear();
  gain_db_ = 0;
  from_ = to_ = 1;
  done_ = 0;
  reduction_db_.store(0, std::memory_order_relaxed);
}

void Leveller::process_bank(std::span<Filter* const> bank,
                            std::span<const ProcessContext> contexts) noexcept {
  // As many at once as there are lanes for.
  while (!bank.empty()) {
    std::array<LoudnessLane*, kMostLanes> lanes;
    std::size_t lane_count = 0;
    std::size_t count = 0;
    for (; count < bank.size(); ++count) {
      auto& one = static_cast<Leveller&>(*bank[count]);
      if (lane_count + one.lanes_.size() > kMostLanes) break;
      one.begin(contexts[count]);
      for (LoudnessLane& lane : one.lanes_) lanes[lane_count++] = &lane;
    }
    const std::uint32_t frames = contexts[0].audio.frames;
    const KWeighting& weighting = static_cast<Leveller&>(*bank[0]).weighting_;
    for (std::uint32_t begin = 0; begin < frames;) {
      // Up to where the first of them ends a step.
      std::uint32_t piece = frames - begin;
      for (std::size_t i = 0; i < count; ++i) {
        const auto& one = static_cast<Leveller&>(*bank[i]);
        piece = std::min(piece, one.step_frames_ - one.done_);
      }
      weigh_lanes(weighting, std::span(lanes).first(lane_count), piece);
      for (std::size_t i = 0; i < count; ++i)
        static_cast<Leveller&>(*bank[i]).scale(contexts[i].audio, begin, piece);
      begin += piece;
    }
    bank = bank.subspan(count);
    contexts = contexts.subspan(count);
  }
}

void Leveller::begin(const ProcessContext& context) noexcept {
  for (const ParamChange& change : context.changes) set_value(change.index, change.value);
  for (std::size_t c = 0; c < lanes_.size(); ++c) lanes_[c].samples = context.audio.channels[c];
}

void Leveller::scale(const AudioBlock& block, std::uint32_t begin, std::uint32_t frames) noexcept {
  if (from_ != 1 || to_ != 1) {
    const float slope = (to_ - from_) / static_cast<float>(step_frames_);
    for (std::uint32_t c = 0; c < block.channel_count; ++c) {
      float* const samples = block.channels[c] + begin;
      for (std::uint32_t i = 0; i < frames; ++i)
        samples[i] *= from_ + slope * static_cast<float>(done_ + i + 1);
    }
  }
  done_ += frames;
  if (done_ == step_frames_) end_step();
}

void Leveller::end_step() noexcept {
  done_ = 0;
  double sum = 0;
  for (std::size_t c = 0; c < lanes_.size(); ++c) sum += weights_[c] * take_sum(lanes_[c]);
  const double energy = sum / step_frames_;
  momentary_->add(energy);
  from_ = to_;
  // Both: a step alone may be a gap between two syllables, and a click is not loud for 400 ms.
  const double momentary = momentary_->sum() / kMomentarySteps;
  if (energy < gate_energy_ || momentary < gate_energy_) return;
  window_->add(energy);
  if (window_->seen() < std::min(kLeastSteps, window_->length())) return;
  const double loudness = lufs_from_energy(window_->sum() / static_cast<double>(window_->seen()));
  const double wanted = std::clamp(target_lufs_ - loudness, -down_db_, up_db_);
  gain_db_ += std::clamp(wanted - gain_db_, -step_db_, step_db_);
  to_ = gain_from_db(gain_db_);
  reduction_db_.store(static_cast<float>(std::max(0.0, -gain_db_)), std::memory_order_relaxed);
}

}  // namespace pypac
