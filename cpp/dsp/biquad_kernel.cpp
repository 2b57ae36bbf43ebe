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

/// The rows of a chunk; those that are not in use, and frames that are no whole number of columns,
/// have room of their own.
struct Rows {
  float* rows[kWidth];
  float room[kWidth][kWidth];
  float unused[kChunk];
};

void read_rows(const BiquadGroup& group, std::size_t begin, std::size_t frames, Rows& rows,
               Lanes* samples) noexcept {
  for (std::size_t lane = 0; lane < kWidth; ++lane)
    rows.rows[lane] = lane < group.lanes ? group.samples[lane] + begin : rows.unused;
  if (group.lanes < kWidth)
    for (std::size_t i = 0; i < frames; ++i) rows.unused[i] = 0;
  const std::size_t whole = frames / kWidth * kWidth;
  for (std::size_t i = 0; i < whole; i += kWidth) load_columns(rows.rows, i, samples + i);
  if (whole == frames) return;
  float* some[kWidth];
  for (std::size_t lane = 0; lane < kWidth; ++lane) {
    some[lane] = rows.room[lane];
    for (std::size_t k = 0; k < kWidth; ++k)
      some[lane][k] = whole + k < frames ? rows.rows[lane][whole + k] : 0;
  }
  load_columns(some, 0, samples + whole);
}

void write_rows(std::size_t frames, Rows& rows, Lanes* samples) noexcept {
  // Silence becomes silence, though a state may stay where denormals are flushed to zero; and -0
  // becomes 0, as in stages that do nothing: a lane next to longer cascades has some.
  for (std::size_t i = 0; i < frames; ++i)
    samples[i] = and_not(abs(samples[i]) < Lanes(kSilence), samples[i]);
  const std::size_t whole = frames / kWidth * kWidth;
  for (std::size_t i = 0; i < whole; i += kWidth) store_columns(samples + i, rows.rows, i);
  if (whole == frames) return;
  float* some[kWidth];
  for (std::size_t lane = 0; lane < kWidth; ++lane) some[lane] = rows.room[lane];
  store_columns(samples + whole, some, 0);
  for (std::size_t lane = 0; lane < kWidth; ++lane)
    for (std::size_t k = 0; whole + k < frames; ++k) rows.rows[lane][whole + k] = some[lane][k];
}

/// Coefficients and state of one stage in registers.
struct StageLanes {
  Lanes decay, drive, pull;     // of the state
  Lanes direct, band, between;  // of the output
  Lanes first, second;

  Lanes run(Lanes in) noexcept {
    const Lanes apart = in - second;
    const Lanes out = (direct * in + band * first) + between * apart;
    second = (second + first) + pull * apart;
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

// Two channels fill the lanes with stages of their cascade: each pair of lanes is a stage, and
// works on a frame that the stage above it has done two steps before. So no stage waits for
// another, and all of them wait for themselves at once.
constexpr std::size_t kPairs = kWidth / 2;
constexpr std::size_t kSkew = 2;
constexpr std::size_t kRamp = (kPairs - 1) * kSkew;
constexpr std::size_t kPairChunk = 256;

/// Stages of two channels, from `at` on, the last of them in the lowest pair. Where there are no
/// more they pass.
StageLanes load_pairs(const BiquadGroup& group, std::size_t at) noexcept {
  float coefficients[BiquadGroup::kCoefficients][BiquadGroup::kLanes] = {};
  float state[2][BiquadGroup::kLanes] = {};
  for (std::size_t k = 0; k < kPairs; ++k) {
    for (std::size_t c = 0; c < 2; ++c) {
      const std::size_t lane = 2 * (kPairs - 1 - k) + c;
      if (at + k >= group.stages) {
        coefficients[3][lane] = 1;
        continue;
      }
      const BiquadGroup::Stage& stage = group.stage[at + k];
      for (std::size_t i = 0; i < BiquadGroup::kCoefficients; ++i)
        coefficients[i][lane] = stage.coefficients[i][c];
      for (std::size_t i = 0; i < 2; ++i) state[i][lane] = stage.state[i][c];
    }
  }
  return load_stage(coefficients, state);
}

void store_pairs(const StageLanes& stages, BiquadGroup& group, std::size_t at) noexcept {
  float state[2][BiquadGroup::kLanes];
  store_state(stages, state);
  for (std::size_t k = 0; k < kPairs && at + k < group.stages; ++k)
    for (std::size_t c = 0; c < 2; ++c)
      for (std::size_t i = 0; i < 2; ++i)
        group.stage[at + k].state[i][c] = state[i][2 * (kPairs - 1 - k) + c];
}

/// In place. `samples` are pairs, frame by frame, with room for kWidth more on either side.
void run_pairs(BiquadGroup& group, std::size_t at, float* samples, std::size_t frames) noexcept {
  StageLanes stages = load_pairs(group, at);
  float behind[kWidth];  // by how many steps each stage is
  for (std::size_t lane = 0; lane < kWidth; ++lane) {
    const std::size_t pair = lane / 2;
    behind[lane] = static_cast<float>((kPairs - 1 - pair) * kSkew);
  }
  Lanes before_last(0.0F);
  Lanes last(0.0F);
  const auto step = [&](std::size_t t) {
    const Lanes in = pairs_down(before_last, Lanes::load(samples + 2 * t + 2 - kWidth));
    before_last = last;
    last = stages.run(in);
  };
  // In the first and the last steps some stages have no frame.
  const auto step_of_some = [&](std::size_t t) {
    const StageLanes kept = stages;
    step(t);
    const Lanes frame = Lanes(static_cast<float>(t)) - Lanes::load(behind);
    const Mask works = (frame >= Lanes(0.0F)) & (frame < Lanes(static_cast<float>(frames)));
    stages.first = select(works, stages.first, kept.first);
    stages.second = select(works, stages.second, kept.second);
  };
  std::size_t t = 0;
  for (; t < kRamp; ++t) step_of_some(t);
  for (; t < frames; ++t) {
    step(t);
    last.store(samples + 2 * (t - kRamp));
  }
  for (; t < frames + kRamp; ++t) {
    step_of_some(t);
    last.store(samples + 2 * (t - kRamp));
  }
  store_pairs(stages, group, at);
}

bool fits_pairs(const BiquadGroup& group) noexcept {
  bool fades = false;
  for (std::size_t k = 0; k < group.stages; ++k) fades = fades || group.stage[k].fades;
  return group.lanes <= 2 && group.frames > kRamp && !fades;
}

void run_two_channels(BiquadGroup& group) noexcept {
  float room[2 * (kPairChunk + kRamp) + 4 * kWidth] = {};
  float* const samples = room + kWidth;
  const float* const left = group.samples[0];
  const float* const right = group.samples[group.lanes - 1];
  for (std::size_t begin = 0; begin < group.frames;) {
    const std::size_t rest = group.frames - begin;
    // None is left that is too short.
    const std::size_t frames = rest < kPairChunk + kRamp + 1 ? rest : kPairChunk;
    for (std::size_t i = 0; i < frames; ++i) {
      samples[2 * i] = left[begin + i];
      samples[2 * i + 1] = right[begin + i];
    }
    for (std::size_t at = 0; at < group.stages; at += kPairs) run_pairs(group, at, samples, frames);
    for (std::size_t lane = 0; lane < group.lanes; ++lane) {
      float* const out = group.samples[lane] + begin;
      for (std::size_t i = 0; i < frames; ++i) {
        const float sample = samples[2 * i + lane];
        out[i] = sample < kSilence && sample > -kSilence ? 0.0F : sample;
      }
    }
    begin += frames;
  }
}

void run_rows(BiquadGroup& group) noexcept {
  Lanes samples[kChunk];
  Rows rows;
  for (std::size_t begin = 0; begin < group.frames; begin += kChunk) {
    const std::size_t rest = group.frames - begin;
    const std::size_t frames = rest < kChunk ? rest : kChunk;
    read_rows(group, begin, frames, rows, samples);
    run_chunk(group, begin, samples, frames);
    write_rows(frames, rows, samples);
  }
}

bool is_one_stage(const BiquadGroup& group) noexcept {
  return group.stages == 1 && !group.stage[0].fades;
}

// A stage alone waits for itself: two of them side by side wait no longer than one.
void run_two_groups(BiquadGroup& a, BiquadGroup& b) noexcept {
  Lanes samples_a[kChunk];
  Lanes samples_b[kChunk];
  Rows rows_a;
  Rows rows_b;
  for (std::size_t begin = 0; begin < a.frames; begin += kChunk) {
    const std::size_t rest = a.frames - begin;
    const std::size_t frames = rest < kChunk ? rest : kChunk;
    read_rows(a, begin, frames, rows_a, samples_a);
    read_rows(b, begin, frames, rows_b, samples_b);
    StageLanes stage_a = load_stage(a.stage[0].coefficients, a.stage[0].state);
    StageLanes stage_b = load_stage(b.stage[0].coefficients, b.stage[0].state);
    for (std::size_t i = 0; i < frames; ++i) {
      samples_a[i] = stage_a.run(samples_a[i]);
      samples_b[i] = stage_b.run(samples_b[i]);
    }
    store_state(stage_a, a.stage[0].state);
    store_state(stage_b, b.stage[0].state);
    write_rows(frames, rows_a, samples_a);
    write_rows(frames, rows_b, samples_b);
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

void run_biquads(BiquadGroup* groups, std::size_t count) noexcept {
  if (count == 2 && is_one_stage(groups[0]) && is_one_stage(groups[1])) {
    run_two_groups(groups[0], groups[1]);
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      if (fits_pairs(groups[i]))
        run_two_channels(groups[i]);
      else
        run_rows(groups[i]);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < groups[i].stages; ++k) {
      BiquadGroup::Stage& stage = groups[i].stage[k];
      drop_faults(stage.state);
      if (stage.fades) drop_faults(stage.old_state);
    }
  }
}

}  // namespace pypac::PYPAC_LANES_NAMESPACE
