// SPDX-License-Identifier: MIT
#include "host/filter_slot.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "core/status.hpp"
#include "core/thread_role.hpp"
#include "host/faults.hpp"
#include "plugin/block_math.hpp"

namespace pypac {
namespace {

std::vector<double> numbers_of(const PluginInfo& info, const std::vector<ParamValue>& values) {
  std::vector<double> numbers;
  for (std::size_t i = 0; i < values.size(); ++i)
    numbers.push_back(as_number(info.params[i], values[i]));
  return numbers;
}

}  // namespace

FilterSlot::FilterSlot(std::string id, std::unique_ptr<Filter> filter, const SlotOptions& options,
                       const ParamValues& values, bool bypassed, bool faded_in)
    : id_(std::move(id)),
      filter_(std::move(filter)),
      values_(all_values(filter_->info(), values)),
      queue_(values_.size()),
      latency_(0),
      bypassed_(bypassed),
      dry_(options.channels, options.max_frames),
      wet_(glide_frames(options.sample_rate), faded_in && !bypassed ? 1.0F : 0.0F),
      unheard_(faded_in) {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::vector<double> numbers = numbers_of(filter_->info(), values_);
  if (options.channels > filter_->info().max_channels)
    throw Failure(ErrorKind::invalid_argument, "the filter " + filter_->info().kind +
                                                   " takes fewer channels than the track has");
  filter_->activate({options.sample_rate, options.channels, options.max_frames, numbers});
  latency_ = filter_->latency_frames();
  if (latency_ > 0) line_.emplace(options.channels, latency_, options.max_frames);
  resting_ = !(faded_in && !bypassed);
}

FilterSlot::~FilterSlot() {
  PYPAC_ASSERT_NOT_REALTIME();
  filter_->deactivate();
}

void FilterSlot::set(std::size_t index, const ParamValue& value) {
  PYPAC_ASSERT_NOT_REALTIME();
  assert(filter_->info().params[index].live);
  if (values_[index] == value) return;
  values_[index] = value;
  queue_.set(index, as_number(filter_->info().params[index], value));
}

void FilterSlot::run_bank(std::span<const Run> runs, Frames position) noexcept {
  PYPAC_ASSERT_PUMP();
  assert(runs.size() <= kMaxBank);
  std::array<Filter*, kMaxBank> filters;
  std::array<ProcessContext, kMaxBank> contexts;
  std::size_t count = 0;
  for (const Run& run : runs) {
    if (!run.slot->begin(run.block, run.leaving)) continue;
    filters[count] = run.slot->filter_.get();
    contexts[count++] = {run.block, run.keys, run.slot->queue_.take(), position};
  }
  if (count == 1)
    filters[0]->process(contexts[0]);
  else if (count > 1)
    filters[0]->process_bank({filters.data(), count}, {contexts.data(), count});
  for (const Run& run : runs) run.slot->end(run.block);
}

/// Everything before the filter's turn; false: it has none.
bool FilterSlot::begin(const AudioBlock& block, bool leaving) noexcept {
  wanted_ = !leaving && !bypassed_.load(std::memory_order_relaxed);
  if (std::exchange(unheard_, false)) {  // bypassed, or not any more, before the first block
    wet_.jump(wanted_ ? 1.0F : 0.0F);
    resting_ = !wanted_;
  }
  const bool fades_in = wanted_ && wet_.stands_at(0);
  if (fades_in && resting_) {
    filter_->reset();
    warming_ = latency_;
  }
  // What is not whole yet is run, not heard.
  wet_.aim(wanted_ && warming_ == 0 ? 1.0F : 0.0F);
  only_dry_ = !wanted_ && wet_.stands_at(0);
  only_wet_ = wet_.stands_at(1);
  gone_.store(leaving && only_dry_, std::memory_order_release);
  const AudioBlock dry = dry_.block(block.frames);
  if (line_) {
    line_->write({block.channels, block.channel_count}, block.frames);
    if (!only_wet_) line_->read(latency_, dry);
  } else if (!only_wet_ && !only_dry_) {
    copy_block(block, dry);
  }
  resting_ = only_dry_;
  heard_.store(!only_dry_, std::memory_order_relaxed);
  return !only_dry_;
}

void FilterSlot::end(const AudioBlock& block) noexcept {
  assert(filter_->latency_frames() == latency_);
  if (!only_dry_) end_faults(block);
  late_ = wanted_ && warming_ == 0 ? filter_->late_frames() : 0;
  if (only_wet_) return;
  const AudioBlock dry = dry_.block(block.frames);
  if (only_dry_) {
    if (line_) copy_block(dry, block);
    return;
  }
  cross_fade(dry, wet_.take(block.frames), block);
  warming_ -= std::min(warming_, block.frames);
}

void FilterSlot::end_faults(const AudioBlock& block) noexcept {
  if (!silence_faults(block)) return;
  filter_->reset();
  faults_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace pypac
