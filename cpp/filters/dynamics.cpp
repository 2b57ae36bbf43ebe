// SPDX-License-Identifier: MIT
#include "filters/dynamics.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <string_view>
#include <utility>

namespace pypac {
namespace {

constexpr std::size_t kMaxKeys = 16;
constexpr double kLowestKeyHz = 10;      // there and below the key is not filtered
constexpr double kHighestKeyHz = 20000;  // there and above
constexpr double kButterworthQ = 0.7071067811865476;

std::optional<std::size_t> place_of(const PluginInfo& info, std::string_view id) {
  const auto at = std::ranges::find(info.params, id, &ParamInfo::id);
  if (at == info.params.end()) return std::nullopt;
  return static_cast<std::size_t>(at - info.params.begin());
}

}  // namespace

void Dynamics::activate(const Activation& activation) {
  sample_rate_ = activation.sample_rate;
  values_.assign(activation.values.begin(), activation.values.end());
  level_.assign(activation.max_frames, 0.0F);
  latency_ = 0;
  line_.reset();
  if (const auto look_ahead = place_of(info(), "look_ahead_ms")) {
    latency_ = static_cast<std::uint32_t>(std::lround(value(*look_ahead) * sample_rate_ / 1000));
    if (latency_ > 0) line_.emplace(activation.channels, latency_, activation.max_frames);
  }
  key_low_ = place_of(info(), "key_low_hz");
  key_high_ = place_of(info(), "key_high_hz");
  ears_filter_ = false;
  ears_.clear();
  heard_.reset();
  if (key_low_) {
    ears_.assign(kMaxKeys, BiquadCascade(glide_frames(sample_rate_)));
    heard_.emplace(static_cast<std::uint32_t>(BiquadCascade::kMaxChannels), activation.max_frames);
    tune_ears();
  }
  unheard_ = true;
  report_reduction(0);
  prepare(activation);
  tune(true);
  forget();
}

void Dynamics::reset() noexcept {
  for (BiquadCascade& ear : ears_) ear.reset();
  if (line_) line_->clear();
  unheard_ = true;
  report_reduction(0);
  forget();
  resume();
}

void Dynamics::process_bank(std::span<Filter* const> bank,
                            std::span<const ProcessContext> contexts) noexcept {
  for (std::size_t first = 0; first < bank.size(); first += kBank) {
    const std::size_t count = std::min(kBank, bank.size() - first);
    std::array<Dynamics*, kBank> group{};
    for (std::size_t i = 0; i < count; ++i) {
      group[i] = static_cast<Dynamics*>(bank[first + i]);
      group[i]->begin(contexts[first + i]);
    }
    const Bank some(group.data(), count);
    some[0]->listen(some, contexts.subspan(first, count));
    some[0]->shape(some, contexts[first].audio.frames);
    for (std::size_t i = 0; i < count; ++i) {
      const AudioBlock& audio = contexts[first + i].audio;
      if (some[i]->line_) some[i]->line_->process(some[i]->latency_, audio);
      some[i]->apply(audio);
    }
  }
}

void Dynamics::begin(const ProcessContext& context) noexcept {
  const bool at_once = std::exchange(unheard_, false);
  if (context.changes.empty()) return;
  for (const ParamChange& change : context.changes) values_[change.index] = change.value;
  tune_ears();
  tune(at_once);
}

void Dynamics::tune_ears() noexcept {
  if (!key_low_) return;
  const double low = value(*key_low_);
  const double high = value(*key_high_);
  // Once they filter they go on, so that they can be switched off without a step.
  ears_filter_ = ears_filter_ || low > kLowestKeyHz || high < kHighestKeyHz;
  if (!ears_filter_) return;
  for (BiquadCascade& ear : ears_) {
    if (low > kLowestKeyHz)
      ear.set(0, BiquadDesign::high_pass(low, kButterworthQ, sample_rate_));
    else
      ear.pass(0);
    if (high < kHighestKeyHz)
      ear.set(1, BiquadDesign::low_pass(high, kButterworthQ, sample_rate_));
    else
      ear.pass(1);
  }
}

void Dynamics::listen(Bank bank, std::span<const ProcessContext> contexts) noexcept {
  std::array<std::size_t, kBank> ears{};
  std::size_t most = 0;
  for (std::size_t i = 0; i < bank.size(); ++i) {
    const std::size_t keys = contexts[i].keys.size();
    ears[i] = keys == 0 && bank[i]->hears_itself_ ? 1 : std::min(keys, kMaxKeys);
    most = std::max(most, ears[i]);
    if (ears[i] == 0) std::fill_n(bank[i]->level(), contexts[i].audio.frames, 0.0F);
  }
  for (std::size_t ear = 0; ear < most; ++ear) {
    std::array<BiquadCascade::Job, kBank> jobs;
    std::size_t job_count = 0;
    std::array<BlockView, kBank> heard;
    for (std::size_t i = 0; i < bank.size(); ++i) {
      if (ear >= ears[i]) continue;
      const AudioBlock& audio = contexts[i].audio;
      heard[i] = contexts[i].keys.empty() ? BlockView(audio.channels, audio.channel_count)
                                          : contexts[i].keys[ear];
      if (bank[i]->ears_filter_) {
        heard[i] = bank[i]->copy_to_filter(heard[i], audio.frames);
        jobs[job_count++] = {&bank[i]->ears_[ear], bank[i]->heard_->channels(),
                             heard[i].channel_count()};
      }
    }
    const std::uint32_t frames = contexts[0].audio.frames;
    if (job_count > 0) BiquadCascade::process_bank({jobs.data(), job_count}, frames);
    for (std::size_t i = 0; i < bank.size(); ++i)
      if (ear < ears[i])
        chosen_envelope_kernels().loudest(bank[i]->level(), heard[i].channels(),
                                          heard[i].channel_count(), ear > 0, frames);
  }
}

BlockView Dynamics::copy_to_filter(BlockView track, std::uint32_t frames) noexcept {
  const std::uint32_t count = std::min(track.channel_count(), heard_->channel_count());
  for (std::uint32_t c = 0; c < count; ++c)
    chosen_envelope_kernels().copy_sane(heard_->channels()[c], track.channels()[c], frames);
  return {heard_->channels(), count};
}

void Dynamics::apply(const AudioBlock& audio) noexcept {
  const EnvelopeKernels& kernels = chosen_envelope_kernels();
  for (std::uint32_t c = 0; c < audio.channel_count; ++c)
    kernels.scale(audio.channels[c], level(), audio.frames);
}

void CurveDynamics::prepare(const Activation& activation) {
  stages_ = SlowChange<Stages>(change_frames(activation.sample_rate));
  mean_.rise = mean_.fall = mean_coefficient(activation.sample_rate);
}

void CurveDynamics::tune(bool at_once) noexcept {
  const Tuning tuned = tuning();
  // It goes on from the peak, whose power lies above it.
  if (tuned.mean && !mean_on_)
    mean_.value = smooths_ == Smooths::level ? smooth_.value * smooth_.value : 0;
  mean_on_ = tuned.mean;
  smooth_.rise = tuned.rise;
  smooth_.fall = tuned.fall;
  if (at_once)
    stages_.jump(tuned.stages);
  else
    stages_.aim(tuned.stages);
}

void CurveDynamics::forget() noexcept {
  mean_.value = smooth_.value = smooth_.rest = 0;
  stages_.settle();
}

void CurveDynamics::shape(Bank bank, std::uint32_t frames) noexcept {
  const EnvelopeKernels& kernels = chosen_envelope_kernels();
  std::array<Follower*, kBank> means{};
  std::array<Follower*, kBank> smooths{};
  std::size_t mean_count = 0;
  for (std::size_t i = 0; i < bank.size(); ++i) {
    auto& one = static_cast<CurveDynamics&>(*bank[i]);
    one.mean_.values = one.smooth_.values = one.level();
    if (one.mean_on_) means[mean_count++] = &one.mean_;
    smooths[i] = &one.smooth_;
  }
  if (mean_count > 0) kernels.root_mean(means.data(), mean_count, frames);
  if (smooths_ == Smooths::level) kernels.follow(smooths.data(), bank.size(), frames);
  for (Dynamics* const each : bank) {
    auto& one = static_cast<CurveDynamics&>(*each);
    one.replayed_ = one.stages_;
    one.stages_.take(frames, [&](std::uint32_t at, std::uint32_t some, const Stages* from,
                                 const Stages* to, float first, float step) {
      kernels.curve(one.level() + at, way_of(from, to, &Stages::curve, first, step), some);
    });
  }
  if (smooths_ == Smooths::gain) kernels.follow_exactly(smooths.data(), bank.size(), frames);
  for (Dynamics* const each : bank) {
    auto& one = static_cast<CurveDynamics&>(*each);
    float least = 0;
    SlowChange<Stages> again = one.replayed_;
    again.take(frames, [&](std::uint32_t at, std::uint32_t some, const Stages* from,
                           const Stages* to, float first, float step) {
      const Way<GainStage> way = way_of(from, to, &Stages::gain, first, step);
      least = std::min(least, kernels.gain_of_log(one.level() + at, way, some));
    });
    const double dry = one.stages_.target().gain.dry;
    one.report_reduction(-20 * std::log10(dry + (1 - dry) * std::exp2(double{least})));
  }
}

std::int32_t GateDynamics::step_of(std::size_t param) const noexcept {
  const double frames = std::max(1.0, value(param) * sample_rate() / 1000);
  return static_cast<std::int32_t>(std::lround(GateRamp::kOpen / frames));
}

float GateDynamics::frames_of(double ms) const noexcept {
  return static_cast<float>(ms * sample_rate() / 1000);
}

void GateDynamics::prepare(const Activation& activation) {
  stages_ = SlowChange<Stages>(change_frames(activation.sample_rate));
}

void GateDynamics::tune(bool at_once) noexcept {
  const Tuning tuned = tuning();
  const GateRamp before = ramp_;
  ramp_ = tuned.ramp;
  ramp_.level = before.level;
  ramp_.held = before.held;
  ramp_.share = before.share;
  ramp_.is_open = before.is_open;
  if (at_once)
    stages_.jump(tuned.stages);
  else
    stages_.aim(tuned.stages);
}

void GateDynamics::forget() noexcept {
  const GateRamp silent;
  ramp_.level = silent.level;
  ramp_.held = silent.held;
  ramp_.share = silent.share;
  ramp_.is_open = silent.is_open;
  stages_.settle();
}

void GateDynamics::open() noexcept {
  ramp_.level = ramp_.open_above;
  ramp_.held = 0;
  ramp_.share = GateRamp::kOpen;
  ramp_.is_open = 1;
}

void GateDynamics::shape(Bank bank, std::uint32_t frames) noexcept {
  const EnvelopeKernels& kernels = chosen_envelope_kernels();
  std::array<GateRamp*, kBank> ramps{};
  for (std::size_t i = 0; i < bank.size(); ++i) {
    auto& one = static_cast<GateDynamics&>(*bank[i]);
    one.ramp_.values = one.level();
    ramps[i] = &one.ramp_;
  }
  kernels.ramp(ramps.data(), bank.size(), frames);
  const bool in_amplitude = opens_ == Opens::in_amplitude;
  for (Dynamics* const each : bank) {
    auto& one = static_cast<GateDynamics&>(*each);
    float least = in_amplitude ? 1.0F : 0.0F;
    one.stages_.take(frames, [&](std::uint32_t at, std::uint32_t some, const Stages* from,
                                 const Stages* to, float first, float step) {
      const Way<GainStage> way = way_of(from, to, &Stages::gain, first, step);
      float* const values = one.level() + at;
      least = std::min(least, in_amplitude ? kernels.gain_of_share(values, way, some)
                                           : kernels.gain_of_log(values, way, some));
    });
    // A closed gate of -96 dB or less is not told otherwise: its gain may be 0.
    constexpr double kDeepest = 1.5848931924611134e-05;
    one.report_reduction(in_amplitude ? -20 * std::log10(std::max(double{least}, kDeepest))
                                      : -db_from_log2(least));
  }
}

ParamInfo level_param(std::string id, double min, double max, double fallback, std::string help) {
  return {.id = std::move(id),
          .unit = "dB",
          .min = min,
          .max = max,
          .fallback = fallback,
          .help = std::move(help)};
}

ParamInfo time_param(std::string id, double min, double max, double fallback, std::string help) {
  return {.id = std::move(id),
          .unit = "ms",
          .min = min,
          .max = max,
          .fallback = fallback,
          .scale = min > 0 ? ParamScale::logarithmic : ParamScale::linear,
          .help = std::move(help)};
}

ParamInfo ratio_param(double min, double max, double fallback, std::string help) {
  return {.id = "ratio",
          .min = min,
          .max = max,
          .fallback = fallback,
          .scale = min > 0 ? ParamScale::logarithmic : ParamScale::linear,
          .help = std::move(help)};
}

ParamInfo detector_param(std::string fallback) {
  return {.id = "detector",
          .type = ParamType::choice,
          .fallback = std::move(fallback),
          .choices = {"peak", "rms"},
          .help = "What counts as the level: each peak, or the mean power over about 10 ms."};
}

ParamInfo look_ahead_param() {
  ParamInfo param = time_param("look_ahead_ms", 0, 20, 0,
                               "How long before a sound the filter reacts to it; the track becomes "
                               "later by as much.");
  param.live = false;
  return param;
}

ParamInfo optional_key_param() {
  return {.id = "key",
          .type = ParamType::tracks,
          .fallback = std::vector<std::string>{},
          .help = "Tracks whose level steers the filter, the loudest of them; none: this track."};
}

ParamInfo key_low_param(double fallback) {
  return {.id = "key_low_hz",
          .unit = "Hz",
          .min = kLowestKeyHz,
          .max = kHighestKeyHz,
          .fallback = fallback,
          .scale = ParamScale::logarithmic,
          .help = "Sound below this frequency does not steer the filter; 10: all of it does."};
}

ParamInfo key_high_param(double fallback) {
  return {.id = "key_high_hz",
          .unit = "Hz",
          .min = kLowestKeyHz,
          .max = kHighestKeyHz,
          .fallback = fallback,
          .scale = ParamScale::logarithmic,
          .help = "Sound above this frequency does not steer the filter; 20000: all of it does."};
}

}  // namespace pypac
