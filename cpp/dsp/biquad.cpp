// SPDX-License-Identifier: MIT
#include "dsp/biquad.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <complex>
#include <cstring>
#include <limits>
#include <numbers>

#include "dsp/biquad_kernel.hpp"
#include "dsp/wide_lanes.hpp"

namespace pypac {
namespace {

constexpr double kHighestShare = 0.49;

double prewarped(double hz, double sample_rate) noexcept {
  return std::tan(std::numbers::pi * std::min(hz / sample_rate, kHighestShare));
}

/// The cookbook's A: the square root of a gain.
double root_of_gain(double gain_db) noexcept {
  return std::pow(10.0, gain_db / 40);
}

}  // namespace

BiquadDesign BiquadDesign::at(double hz, double q, double sample_rate, double high, double band,
                              double low) noexcept {
  return {prewarped(hz, sample_rate), 1 / q, high, band, low};
}

BiquadDesign BiquadDesign::low_pass(double hz, double q, double sample_rate) noexcept {
  return at(hz, q, sample_rate, 0, 0, 1);
}

BiquadDesign BiquadDesign::high_pass(double hz, double q, double sample_rate) noexcept {
  return at(hz, q, sample_rate, 1, 0, 0);
}

BiquadDesign BiquadDesign::band_pass(double hz, double q, double sample_rate) noexcept {
  return at(hz, q, sample_rate, 0, 1, 0);
}

BiquadDesign BiquadDesign::notch(double hz, double q, double sample_rate) noexcept {
  return at(hz, q, sample_rate, 1, 0, 1);
}

BiquadDesign BiquadDesign::peak(double hz, double q, double sample_rate, double gain_db) noexcept {
  const double a = root_of_gain(gain_db);
  return at(hz, q * a, sample_rate, 1, a * a, 1);
}

BiquadDesign BiquadDesign::low_shelf(double hz, double q, double sample_rate,
                                     double gain_db) noexcept {
  const double a = root_of_gain(gain_db);
  BiquadDesign design = at(hz, q, sample_rate, 1, a, a * a);
  design.g /= std::sqrt(a);
  return design;
}

BiquadDesign BiquadDesign::high_shelf(double hz, double q, double sample_rate,
                                      double gain_db) noexcept {
  const double a = root_of_gain(gain_db);
  BiquadDesign design = at(hz, q, sample_rate, a * a, a, 1);
  design.g *= std::sqrt(a);
  return design;
}

double BiquadDesign::butterworth_q(std::size_t stage, std::size_t stages) noexcept {
  const double angle = std::numbers::pi * (2.0 * static_cast<double>(stage) + 1) /
                       (4.0 * static_cast<double>(stages));
  return 1 / (2 * std::sin(angle));
}

double BiquadDesign::gain(double hz, double sample_rate) const noexcept {
  const std::complex<double> s(0, std::tan(std::numbers::pi * hz / sample_rate) / g);
  return std::abs((high * s * s + band * k * s + low) / (s * s + k * s + 1.0));
}

BiquadCascade::BiquadCascade(std::uint32_t fade_frames) noexcept
    : fade_frames_(std::max<std::uint32_t>(1, fade_frames)) {}

// Simper's form solved for the new state and the output, with `apart` = input - second state, and
// the first state as large as what it adds to the second:
//   first  <- b first + c^2 apart
//   second <- second + first + d apart
//   output  = p input + q / c first + r apart
// The second state's own share is 1 - d, and d is 4e-7 at 10 Hz: it is never rounded together.
BiquadCascade::Coefficients BiquadCascade::coefficients_of(const BiquadDesign& design) noexcept {
  const double g = design.g;
  const double k = design.k;
  const double a1 = 1 / (1 + g * (g + k));
  const double a2 = g * a1;
  const double a3 = g * a2;
  const double m1 = k * (design.band - design.high);
  const double m2 = design.low - design.high;
  const double all[] = {2 * a1 - 1,
                        4 * a2 * a2,
                        2 * a3,
                        design.high + m2,
                        (m1 * a1 + m2 * a2) / (2 * a2),
                        m1 * a2 + m2 * (a3 - 1)};
  Coefficients coefficients;
  for (std::size_t i = 0; i < kCoefficients; ++i) coefficients[i] = static_cast<float>(all[i]);
  return coefficients;
}

void BiquadCascade::set(std::size_t stage, const BiquadDesign& design) noexcept {
  assert(stage < kMaxStages);
  aim(stages_[stage], coefficients_of(design));
}

void BiquadCascade::pass(std::size_t stage) noexcept {
  assert(stage < kMaxStages);
  aim(stages_[stage], kPasses);
}

void BiquadCascade::aim(Stage& stage, const Coefficients& coefficients) noexcept {
  stage.next = coefficients;
  if (unheard_)
    stage.now = coefficients;
  else if (stage.left == 0)
    begin_fade(stage);
}

void BiquadCascade::begin_fade(Stage& stage) noexcept {
  if (stage.next == stage.now) return;
  // The state goes on, in its new measure, where it is of about the same frequency. Elsewhere it
  // would be a thump.
  std::memcpy(stage.old_state, stage.state, sizeof stage.state);
  const float measure = stage.now[1] > 0 ? std::sqrt(stage.next[1] / stage.now[1]) : 0;
  if (measure > 0.5F && measure < 2)
    for (auto& channel : stage.state) channel[0] *= measure;
  else
    std::memset(stage.state, 0, sizeof stage.state);
  stage.old = stage.now;
  stage.now = stage.next;
  stage.left = fade_frames_;
}

void BiquadCascade::reset() noexcept {
  for (Stage& stage : stages_) {
    std::memset(stage.state, 0, sizeof stage.state);
    stage.now = stage.next;
    stage.left = 0;
  }
  unheard_ = true;
}

std::size_t BiquadCascade::frames_to_next_fade() const noexcept {
  std::size_t frames = std::numeric_limits<std::size_t>::max();
  for (const Stage& stage : stages_)
    if (stage.left > 0 && stage.next != stage.now)
      frames = std::min<std::size_t>(frames, stage.left);
  return frames;
}

void BiquadCascade::advance(std::size_t frames) noexcept {
  unheard_ = false;
  for (Stage& stage : stages_) {
    if (stage.left == 0) continue;
    stage.left -= static_cast<std::uint32_t>(std::min<std::size_t>(stage.left, frames));
    if (stage.left == 0) begin_fade(stage);
    if (stage.rests()) std::memset(stage.state, 0, sizeof stage.state);
  }
}

const auto run_wide = chosen_kernel(narrow::run_biquads, PYPAC_WIDE(run_biquads));

/// Brings channels to lanes and their states back.
class BiquadLoader {
 public:
  BiquadLoader(std::size_t begin, std::size_t frames) noexcept
      : width_(has_wide_lanes() ? BiquadGroup::kLanes : BiquadGroup::kLanes / 2), begin_(begin) {
    for (BiquadGroup& group : groups_) {
      group.frames = frames;
      group.lanes = group.stages = 0;
    }
  }

  void add(BiquadCascade& cascade, std::size_t channel, float* samples) noexcept {
    if (groups_[count_ - 1].lanes == width_) {
      if (count_ == kGroups)
        run();
      else
        ++count_;
    }
    BiquadGroup& group = groups_[count_ - 1];
    const std::size_t lane = group.lanes++;
    group.samples[lane] = samples + begin_;
    from_[count_ - 1][lane] = {&cascade, channel};
    std::size_t at = 0;
    for (const BiquadCascade::Stage& stage : cascade.stages_) {
      if (stage.rests()) continue;
      if (at == group.stages) clear_stage(group.stage[group.stages++]);
      BiquadGroup::Stage& to = group.stage[at++];
      put(stage.now, to.coefficients, lane);
      for (std::size_t i = 0; i < 2; ++i) to.state[i][lane] = stage.state[channel][i];
      if (stage.left == 0) continue;
      if (!to.fades) clear_fade(to);
      to.left[lane] = static_cast<float>(stage.left);
      to.fall[lane] = 1.0F / static_cast<float>(cascade.fade_frames_);
      put(stage.old, to.old_coefficients, lane);
      for (std::size_t i = 0; i < 2; ++i) to.old_state[i][lane] = stage.old_state[channel][i];
    }
  }

  void run() noexcept {
    const BiquadGroup& first = groups_[0];
    if (first.lanes == 0) return;
    // Two channels use the width for several stages.
    if (first.lanes > BiquadGroup::kLanes / 2 || (first.lanes <= 2 && first.stages > 1))
      run_wide(groups_, count_);
    else
      narrow::run_biquads(groups_, count_);
    for (std::size_t i = 0; i < count_; ++i) {
      for (std::size_t lane = 0; lane < groups_[i].lanes; ++lane)
        take_state(groups_[i], lane, from_[i][lane]);
      groups_[i].lanes = groups_[i].stages = 0;
    }
    count_ = 1;
  }

 private:
  static constexpr std::size_t kGroups = 2;

  struct From {
    BiquadCascade* cascade;
    std::size_t channel;
  };

  static void take_state(const BiquadGroup& group, std::size_t lane, const From& to) noexcept {
    std::size_t at = 0;
    for (BiquadCascade::Stage& stage : to.cascade->stages_) {
      if (stage.rests()) continue;
      const BiquadGroup::Stage& from = group.stage[at++];
      for (std::size_t i = 0; i < 2; ++i) stage.state[to.channel][i] = from.state[i][lane];
      if (stage.left == 0) continue;
      for (std::size_t i = 0; i < 2; ++i) stage.old_state[to.channel][i] = from.old_state[i][lane];
    }
  }

  // Lanes whose cascade is shorter get stages that do nothing.
  static void clear_stage(BiquadGroup::Stage& stage) noexcept {
    std::memset(stage.coefficients, 0, sizeof stage.coefficients);
    std::memset(stage.state, 0, sizeof stage.state);
    for (float& direct : stage.coefficients[3]) direct = 1;
    stage.fades = false;
  }

  static void clear_fade(BiquadGroup::Stage& stage) noexcept {
    std::memset(stage.left, 0, sizeof stage.left);
    std::memset(stage.fall, 0, sizeof stage.fall);
    std::memset(stage.old_coefficients, 0, sizeof stage.old_coefficients);
    std::memset(stage.old_state, 0, sizeof stage.old_state);
    stage.fades = true;
  }

  static void put(const BiquadCascade::Coefficients& from,
                  float (&to)[BiquadGroup::kCoefficients][BiquadGroup::kLanes],
                  std::size_t lane) noexcept {
    for (std::size_t i = 0; i < from.size(); ++i) to[i][lane] = from[i];
  }

  std::size_t width_;
  std::size_t begin_;
  std::size_t count_ = 1;
  BiquadGroup groups_[kGroups];
  From from_[kGroups][BiquadGroup::kLanes];
};

void BiquadCascade::process(float* const* channels, std::size_t channel_count,
                            std::size_t frames) noexcept {
  const Job job{this, channels, channel_count};
  process_bank({&job, 1}, frames);
}

void BiquadCascade::process_bank(std::span<const Job> jobs, std::size_t frames) noexcept {
  for (std::size_t begin = 0; begin < frames;) {
    std::size_t count = frames - begin;
    for (const Job& job : jobs) count = std::min(count, job.cascade->frames_to_next_fade());
    BiquadLoader loader(begin, count);
    for (const Job& job : jobs) {
      assert(job.channel_count <= kMaxChannels);
      const auto rests = [](const Stage& stage) { return stage.rests(); };
      if (std::ranges::all_of(job.cascade->stages_, rests)) continue;
      for (std::size_t c = 0; c < job.channel_count; ++c)
        loader.add(*job.cascade, c, job.channels[c]);
    }
    loader.run();
    for (const Job& job : jobs) job.cascade->advance(count);
    begin += count;
  }
}

}  // namespace pypac
