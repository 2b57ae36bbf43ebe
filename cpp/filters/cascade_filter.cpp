// SPDX-License-Identifier: MIT
#include "filters/cascade_filter.hpp"

#include <algorithm>
#include <array>

#include "core/glide.hpp"

namespace pypac {

void CascadeFilter::activate(const Activation& activation) {
  sample_rate_ = activation.sample_rate;
  cascade_ = BiquadCascade(2 * glide_frames(activation.sample_rate));
  for (std::size_t i = 0; i < activation.values.size(); ++i) keep(i, activation.values[i]);
  design(cascade_, sample_rate_);
}

void CascadeFilter::change(std::span<const ParamChange> changes) noexcept {
  if (changes.empty()) return;
  for (const ParamChange& change : changes) keep(change.index, change.value);
  design(cascade_, sample_rate_);
}

void CascadeFilter::process_bank(std::span<Filter* const> bank,
                                 std::span<const ProcessContext> contexts) noexcept {
  constexpr std::size_t kAtOnce = 8;
  for (std::size_t begin = 0; begin < bank.size(); begin += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, bank.size() - begin);
    std::array<BiquadCascade::Job, kAtOnce> jobs;
    for (std::size_t i = 0; i < count; ++i) {
      const ProcessContext& context = contexts[begin + i];
      auto& filter = static_cast<CascadeFilter&>(*bank[begin + i]);
      filter.change(context.changes);
      jobs[i] = {&filter.cascade_, context.audio.channels, context.audio.channel_count};
    }
    BiquadCascade::process_bank({jobs.data(), count}, contexts[begin].audio.frames);
  }
}

}  // namespace pypac
