// SPDX-License-Identifier: MIT
#include "filters/de_esser.hpp"

#include <array>

namespace pypac {
namespace {

enum Param : std::size_t {
  kFrequency,
  kThreshold,
  kRatio,
  kRange,
  kMode,
};

constexpr double kBandQ = 1;  // 1.4 octaves
// Consonants begin and end within some milliseconds. So quick an attack reaches the crests of a
// tone at the band's middle to 0.1 dB.
constexpr double kAttackMs = 0.2;
constexpr double kReleaseMs = 60;

}  // namespace

DeEsser::DeEsser() noexcept : CurveDynamics(true, Smooths::level) {}

const PluginInfo& DeEsser::info() const noexcept {
  static const PluginInfo info{
      .kind = "de_esser",
      .help = "Makes hissing consonants of a voice quieter.",
      .params =
          {
              {.id = "frequency_hz",
               .unit = "Hz",
               .min = 2000,
               .max = 12000,
               .fallback = 6000.0,
               .scale = ParamScale::logarithmic,
               .help = "Where the hiss lies: the middle of the band that is measured."},
              level_param("threshold_db", -60, 0, -18,
                          "The level of that band above which it works."),
              ratio_param(1, 20, 3, "How many dB more of hiss make 1 dB more of output."),
              level_param("range_db", -30, 0, -12, "How much quieter it makes the hiss at most."),
              {.id = "mode",
               .type = ParamType::choice,
               .fallback = "split",
               .choices = {"split", "wide"},
               .help = "What becomes quieter: that band, or all of the track."},
          },
      .reduces = true,
  };
  return info;
}

CurveDynamics::Tuning DeEsser::tuning() const noexcept {
  Tuning tuned{.rise = follower_coefficient(kAttackMs, sample_rate()),
               .fall = follower_coefficient(kReleaseMs, sample_rate())};
  LevelCurve& curve = tuned.stages.curve;
  curve.threshold = log2_from_db(value(kThreshold));
  curve.slope = static_cast<float>(1 / value(kRatio) - 1);
  curve.low = log2_from_db(value(kRange));
  curve.high = 0;
  tuned.stages.gain.split = is_on(kMode) ? 0.0F : 1.0F;
  return tuned;
}

void DeEsser::prepare(const Activation& activation) {
  CurveDynamics::prepare(activation);
  filter_ = BiquadCascade(change_frames(activation.sample_rate));
  band_.emplace(activation.channels, activation.max_frames);
}

void DeEsser::tune(bool at_once) noexcept {
  CurveDynamics::tune(at_once);
  filter_.set(0, BiquadDesign::band_pass(value(kFrequency), kBandQ, sample_rate()));
}

void DeEsser::forget() noexcept {
  CurveDynamics::forget();
  filter_.reset();
}

void DeEsser::listen(Bank bank, std::span<const ProcessContext> contexts) noexcept {
  const EnvelopeKernels& kernels = chosen_envelope_kernels();
  std::array<BiquadCascade::Job, kBank> jobs;
  const std::uint32_t frames = contexts[0].audio.frames;
  for (std::size_t i = 0; i < bank.size(); ++i) {
    auto& one = static_cast<DeEsser&>(*bank[i]);
    const AudioBlock& audio = contexts[i].audio;
    for (std::uint32_t c = 0; c < audio.channel_count; ++c)
      kernels.copy_sane(one.band_->channels()[c], audio.channels[c], frames);
    jobs[i] = {&one.filter_, one.band_->channels(), audio.channel_count};
  }
  BiquadCascade::process_bank({jobs.data(), bank.size()}, frames);
  for (std::size_t i = 0; i < bank.size(); ++i) {
    auto& one = static_cast<DeEsser&>(*bank[i]);
    kernels.loudest(one.level(), one.band_->channels(), contexts[i].audio.channel_count, false,
                    frames);
  }
}

void DeEsser::apply(const AudioBlock& audio) noexcept {
  const EnvelopeKernels& kernels = chosen_envelope_kernels();
  replayed().take(audio.frames, [&](std::uint32_t at, std::uint32_t some, const Stages* from,
                                    const Stages* to, float first, float step) {
    const Way<GainStage> way = way_of(from, to, &Stages::gain, first, step);
    for (std::uint32_t c = 0; c < audio.channel_count; ++c)
      kernels.scale_band(audio.channels[c] + at, band_->channels()[c] + at, level() + at, way,
                         some);
  });
}

}  // namespace pypac
