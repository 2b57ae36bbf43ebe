// SPDX-License-Identifier: MIT
#include "dsp/biquad_kernel.hpp"

#include "dsp/lanes.hpp"

namespace pypac::PYPAC_LANES_NAMESPACE {
namespace {

constexpr std::size_t kWidth = Lanes::kCount;
// So many frames stay in the first cache on their way through all stages.
constexpr std::size_t kChunk = 64;
constexpr float kSilence = 1e-30F;
constexpr float kLargest = 3.40282347e+38F;

void read_rows(const BiquadGroup& group, std::size_t begin, std::size_t frames,
               Lanes* samples) noexcept {
  for (std::size_t i = 0; i < frames; i += kWidth) {
    Lanes rows[kWidth];
    for (std::size_t lane = 0; lane < kWidth; ++lane) {
      if (lane >= group.lanes) {
        rows[lane] = Lanes(0.0F);
      } else if (i + kWidth <= frames) {
        rows[lane] = Lanes::load(group.samples[lane] + begin + i);
      } else {
        float some[kWidth] = {};
        for (std::size_t k = 0; i + k < frames; ++k) some[k] = group.samples[lane][begin + i + k];
        rows[lane] = Lanes::load(some);
      }
    }
    transpose(rows);
    for (std::size_t k = 0; k < kWidth; ++k) samples[i + k] = rows[k];
  }
}

void write_rows(const BiquadGroup& group, std::size_t begin, std::size_t frames,
                const Lanes* samples) noexcept {
  for (std::size_t i = 0; i < frames; i += kWidth) {
    Lanes rows[kWidth];
    // Silence becomes silence, though a state may stay where denormals are flushed to zero; and -0
    // becomes 0, as in stages that do nothing: a lane next to longer cascades has some.
    for (std::size_t k = 0; k < kWidth; ++k) {
      const Mask silent = abs(samples[i + k]) < Lanes(kSilence);
      rows[k] = and_not(silent, samples[i + k]);
    }
    transpose(rows);
    for (std::size_t lane = 0; lane < kWidth && lane < group.lanes; ++lane) {
      if (i + kWidth <= frames) {
        rows[lane].store(group.samples[lane] + begin + i);
      } else {
        float some[kWidth];
        rows[lane].store(some);
        for (std::size_t k = 0; i + k < frames; ++k) group.samples[lane][begin + i + k] = some[k];
      }
    }
  }
}

/// Coefficients and state of one stage in registers.
struct StageLanes {
  Lanes decay, drive, pull;     // b, c, d of the state
  Lanes direct, band, between;  // of the output
  Lanes first, second;

  Lanes run(Lanes in) noexcept {
    const Lanes apart = in - second;
    const Lanes out = (direct * in + band * first) + between * apart;
    second = (second + drive * first) + pull * apart;
    first = decay * first + drive * apart;
    return out;
  }
};

StageLanes load_stage(const float (&coefficients)[BiquadGroup::kCoefficients][BiquadGroup::kLanes],
                      const float (&state)[2][BiquadGroup::kLanes]) noexcept {
  return {Lanes::load(coefficients[0]), Lanes::load(coefficients[1]), Lanes::load(coefficients[2]),
          Lanes::load(coefficients[3]), Lanes::load(coefficients[4]), Lanes::load(coefficients[5]),
          Lanes::load(state[0]),        Lanes::load(state[1])};
}

void store_state(const StageLanes& stage, float (&state)[2][BiquadGroup::kLanes]) noexcept {
  stage.first.store(state[0]);
  stage.second.store(state[1]);
}

/// Several stages in one go over the frames: each of them waits for itself, but not for the others.
template <std::size_t Stages>
void run_stages(BiquadGroup& group, std::size_t at, Lanes* samples, std::size_t frames) noexcept {
  StageLanes stages[Stages];
  for (std::size_t k = 0; k < Stages; ++k)
    stages[k] = load_stage(group.stage[at + k].coefficients, group.stage[at + k].state);
  for (std::size_t i = 0; i < frames; ++i) {
    Lanes sample = samples[i];
    for (std::size_t k = 0; k < Stages; ++k) sample = stages[k].run(sample);
    samples[i] = sample;
  }
  for (std::size_t k = 0; k < Stages; ++k) store_state(stages[k], group.stage[at + k].state);
}

void fade_stage(BiquadGroup::Stage& stage, std::size_t begin, Lanes* samples,
                std::size_t frames) noexcept {
  StageLanes now = load_stage(stage.coefficients, stage.state);
  StageLanes old = load_stage(stage.old_coefficients, stage.old_state);
  const Lanes left_at_first = Lanes::load(stage.left);
  const Lanes fall = Lanes::load(stage.fall);
  for (std::size_t i = 0; i < frames; ++i) {
    const Lanes left = max(left_at_first - Lanes(static_cast<float>(begin + i + 1)), Lanes(0.0F));
    const Lanes before = old.run(samples[i]);
    const Lanes out = now.run(samples[i]);
    samples[i] = select(left > Lanes(0.0F), out + left * fall * (before - out), out);
  }
  store_state(now, stage.state);
  store_state(old, stage.old_state);
}

void run_chunk(BiquadGroup& group, std::size_t begin, Lanes* samples, std::size_t frames) noexcept {
  std::size_t at = 0;
  while (at < group.stages) {
    if (group.stage[at].fades) {
      fade_stage(group.stage[at++], begin, samples, frames);
      continue;
    }
    std::size_t count = 1;
    while (count < 4 && at + count < group.stages && !group.stage[at + count].fades) ++count;
    // Five as three and two: a stage alone waits for itself.
    if (count == 4 && at + 5 == group.stages) count = 3;
    switch (count) {
      case 1:
        run_stages<1>(group, at, samples, frames);
        break;
      case 2:
        run_stages<2>(group, at, samples, frames);
        break;
      case 3:
        run_stages<3>(group, at, samples, frames);
        break;
      default:
        run_stages<4>(group, at, samples, frames);
    }
    at += count;
  }
}

// What is no number would stay for good.
void drop_faults(float (&state)[2][BiquadGroup::kLanes]) noexcept {
  for (float(&one)[BiquadGroup::kLanes] : state) {
    const Lanes value = Lanes::load(one);
    select(abs(value) <= Lanes(kLargest), value, Lanes(0.0F)).store(one);
  }
}

}  // namespace

void run_biquads(BiquadGroup& group) noexcept {
  Lanes samples[kChunk];
  for (std::size_t begin = 0; begin < group.frames; begin += kChunk) {
    const std::size_t rest = group.frames - begin;
    const std::size_t frames = rest < kChunk ? rest : kChunk;
    read_rows(group, begin, frames, samples);
    run_chunk(group, begin, samples, frames);
    write_rows(group, begin, frames, samples);
  }
  for (std::size_t k = 0; k < group.stages; ++k) {
    drop_faults(group.stage[k].state);
    if (group.stage[k].fades) drop_faults(group.stage[k].old_state);
  }
}

}  // namespace pypac::PYPAC_LANES_NAMESPACE
