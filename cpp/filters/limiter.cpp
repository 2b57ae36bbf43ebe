// SPDX-License-Identifier: MIT
#include "filters/limiter.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

#include "core/decibels.hpp"
#include "dsp/sliding_window.hpp"
#include "dsp/true_peak.hpp"
#include "dsp/wide_lanes.hpp"
#include "filters/limiter_kernel.hpp"

namespace pypac {
namespace {

enum Param : std::size_t { kCeiling, kRelease, kLookAhead, kTruePeak };

// How long a reduction is held behind a true peak: a value between samples is made of those around
// it, so that the gain must not rise at once.
constexpr std::size_t kTruePeakHold = 4;
// A gain that falls in fewer frames makes other values between them than those that were looked at.
constexpr std::size_t kTruePeakLookAhead = 24;
// A reduction below is none. So small that no bit of what comes out tells where a block ended.
constexpr float kNothing = 8.673617379884035e-19F;  // 2^-60
constexpr double kLeast = 1e-6;                     // gain that reduction_db() tells
// How many limiters are worked on in turns.
constexpr std::size_t kBank = 8;

/// How a reduction falls in a frame, so that a time constant later 1/e of it is left.
float decay_of(double release_ms, double sample_rate) {
  return static_cast<float>(std::exp(-1000 / (release_ms * sample_rate)));
}

/// Powers of two whose means take together at most as long.
std::array<std::size_t, 3> means_within(std::size_t frames) {
  std::array<std::size_t, 3> means{1, 1, 1};
  std::size_t left = frames + 1;
  for (std::size_t& mean : means) {
    mean = std::bit_floor(left);
    left -= mean - 1;
  }
  return means;
}

void shift(std::vector<float>& values, std::size_t frames, std::size_t kept) noexcept {
  std::memmove(values.data(), values.data() + frames, kept * sizeof(float));
}

}  // namespace

const PluginInfo& Limiter::info() const noexcept {
  static const PluginInfo info{
      .kind = "limiter",
      .help = "Keeps a track under a ceiling: turns it down smoothly before a peak comes.",
      .params = {{.id = "ceiling_db",
                  .unit = "dB",
                  .min = -60,
                  .max = 0,
                  .fallback = -1.0,
                  .help = "What no peak goes over, in dBTP, or in dBFS with true_peak off."},
                 {.id = "release_ms",
                  .unit = "ms",
                  .min = 1,
                  .max = 1000,
                  .fallback = 60.0,
                  .scale = ParamScale::logarithmic,
                  .help = "How long a reduction takes to fall to 37 % after a peak."},
                 {.id = "look_ahead_ms",
                  .unit = "ms",
                  .min = 0.5,
                  .max = 10,
                  .fallback = 2.0,
                  .scale = ParamScale::logarithmic,
                  .live = false,
                  .help = "How long before a peak the gain begins to fall; delays the track as "
                          "much."},
                 {.id = "true_peak",
                  .type = ParamType::boolean,
                  .fallback = true,
                  .live = false,
                  .help = "Finds peaks between samples too, as a converter or an encoder makes "
                          "them of the samples."}},
      .reduces = true,
  };
  return info;
}

void Limiter::activate(const Activation& activation) {
  sample_rate_ = activation.sample_rate;
  true_peak_ = activation.values[kTruePeak] != 0;
  const auto wanted = std::llround(activation.values[kLookAhead] * sample_rate_ / 1000);
  const std::size_t look_ahead =
      std::max(static_cast<std::size_t>(wanted), true_peak_ ? kTruePeakLookAhead : 1);
  const std::size_t reach = true_peak_ ? kTruePeakReach : 0;
  latency_ = static_cast<std::uint32_t>(look_ahead + reach);
  before_ = std::max<std::size_t>(latency_, 2 * reach);
  // A peak between two frames is that of both.
  hold_ = look_ahead + 1 + (true_peak_ ? 1 + kTruePeakHold : 0);
  means_ = means_within(look_ahead);
  mean_before_ = 0;
  for (const std::size_t mean : means_) mean_before_ += mean - 1;

  const std::size_t frames = activation.max_frames + kLanePadding;
  audio_stride_ = before_ + frames;
  audio_.assign(activation.channels * audio_stride_, 0.0F);
  looked_at_.clear();
  for (std::size_t c = 0; c < activation.channels; ++c)
    looked_at_.push_back(audio_.data() + c * audio_stride_ + before_ - reach);
  ceilings_.assign(frames, 1.0F);
  needed_.assign(hold_ - 1 + frames, 0.0F);
  held_.assign(hold_ - 1 + frames, 0.0F);
  kept_.assign(mean_before_ + frames, 0.0F);
  smoothed_.assign(mean_before_ + frames, 0.0F);
  ceiling_.emplace(glide_frames(activation.sample_rate), gain_from_db(activation.values[kCeiling]),
                   true);
  decay_ = decay_of(activation.values[kRelease], sample_rate_);
  static_cast<void>(true_peak_taps());
  reset();
}

void Limiter::reset() noexcept {
  for (std::vector<float>* const values : {&audio_, &needed_, &held_, &kept_, &smoothed_})
    std::ranges::fill(*values, 0.0F);
  ceiling_->forget();
  state_ = 0;
  still_ = mean_before_;
  reduction_db_.store(0, std::memory_order_relaxed);
}

void Limiter::process_bank(std::span<Filter* const> bank,
                           std::span<const ProcessContext> contexts) noexcept {
  assert(bank.size() == contexts.size());
  const auto release = chosen_kernel(narrow::limiter_release, PYPAC_WIDE(limiter_release));
  for (std::size_t first = 0; first < bank.size(); first += kBank) {
    const std::size_t count = std::min(kBank, bank.size() - first);
    const auto limiter = [&](std::size_t n) { return static_cast<Limiter*>(bank[first + n]); };
    std::array<bool, kBank> reduces{};
    std::array<Limiter*, kBank> reducing{};
    std::array<float*, kBank> held{};
    std::array<float, kBank> decays{};
    std::array<float, kBank> states{};
    std::size_t rows = 0;
    for (std::size_t n = 0; n < count; ++n) {
      reduces[n] = limiter(n)->look_ahead(contexts[first + n]);
      if (!reduces[n]) continue;
      reducing[rows] = limiter(n);
      held[rows] = limiter(n)->held_.data();
      decays[rows] = limiter(n)->decay_;
      states[rows++] = limiter(n)->state_;
    }
    release({held.data(), decays.data(), states.data(), rows, contexts[first].audio.frames});
    for (std::size_t n = 0; n < rows; ++n) reducing[n]->state_ = states[n];
    for (std::size_t n = 0; n < count; ++n)
      limiter(n)->reduce(contexts[first + n].audio, reduces[n]);
  }
}

bool Limiter::look_ahead(const ProcessContext& context) noexcept {
  const std::uint32_t frames = context.audio.frames;
  for (const ParamChange& change : context.changes) {
    if (change.index == kCeiling) ceiling_->aim(gain_from_db(change.value));
    if (change.index == kRelease) decay_ = decay_of(change.value, sample_rate_);
  }
  const GlideBlock ceiling = ceiling_->take(frames);
  for (std::uint32_t i = 0; i < ceiling.frames; ++i) ceilings_[i] = ceiling.at(i);
  std::fill(ceilings_.begin() + ceiling.frames, ceilings_.end(), ceiling.rest);

  const auto read = chosen_kernel(narrow::limiter_read, PYPAC_WIDE(limiter_read));
  for (std::uint32_t c = 0; c < context.audio.channel_count; ++c)
    read(context.audio.channels[c], audio_.data() + c * audio_stride_ + before_, frames);

  const auto find = chosen_kernel(narrow::limiter_reductions, PYPAC_WIDE(limiter_reductions));
  const std::size_t held_before = hold_ - 1;
  const bool is_over = find({looked_at_.data(), looked_at_.size(), ceilings_.data(), frames,
                             true_peak_ ? &true_peak_taps() : nullptr},
                            needed_.data() + held_before);
  // All that is kept is 0 then, and stays so.
  if (!is_over && still_ >= mean_before_) return false;
  std::memcpy(held_.data(), needed_.data(), (held_before + frames) * sizeof(float));
  const auto hold = chosen_kernel(narrow::sliding_maximum, PYPAC_WIDE(sliding_maximum));
  hold(held_.data(), held_before + frames, hold_);
  shift(needed_, frames, held_before);
  return true;
}

void Limiter::reduce(const AudioBlock& block, bool reduces) noexcept {
  const std::uint32_t frames = block.frames;
  float scale = 1;
  float largest = 0;
  if (reduces) {
    std::memcpy(kept_.data() + mean_before_, held_.data(), frames * sizeof(float));
    std::memcpy(smoothed_.data(), kept_.data(), (mean_before_ + frames) * sizeof(float));
    shift(kept_, frames, mean_before_);
    const auto sum = chosen_kernel(narrow::sliding_sum, PYPAC_WIDE(sliding_sum));
    std::size_t count = mean_before_ + frames;
    for (const std::size_t mean : means_) {
      sum(smoothed_.data(), count, mean);
      count -= mean - 1;
      scale /= static_cast<float>(mean);
    }
    const auto largest_of = chosen_kernel(narrow::limiter_largest, PYPAC_WIDE(limiter_largest));
    largest = scale * largest_of(smoothed_.data(), frames);
    still_ = largest_of(held_.data(), frames) > 0 ? 0 : still_ + frames;
    if (state_ < kNothing) state_ = 0;
  }
  const double gain = std::max(1.0 - double{largest}, kLeast);
  reduction_db_.store(gain < 1 ? static_cast<float>(-db_from_linear(gain)) : 0.0F,
                      std::memory_order_relaxed);
  const auto write = chosen_kernel(narrow::limiter_write, PYPAC_WIDE(limiter_write));
  for (std::uint32_t c = 0; c < block.channel_count; ++c) {
    float* const samples = audio_.data() + c * audio_stride_;
    const float* const from = samples + before_ - latency_;
    if (reduces)
      write(from, smoothed_.data(), scale, block.channels[c], frames);
    else
      std::memcpy(block.channels[c], from, frames * sizeof(float));
    std::memmove(samples, samples + frames, before_ * sizeof(float));
  }
}

}  // namespace pypac
