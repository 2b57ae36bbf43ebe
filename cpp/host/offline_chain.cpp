// SPDX-License-Identifier: MIT
#include "host/offline_chain.hpp"

#include <numeric>

#include "core/flush_to_zero.hpp"
#include "core/status.hpp"
#include "core/thread_role.hpp"
#include "host/faults.hpp"

namespace pypac {

OfflineChain::OfflineChain(const FilterRegistry& registry, const std::vector<Link>& links,
                           const SlotOptions& options)
    : options_(options) {
  for (const Link& link : links) {
    slots_.push_back(std::make_unique<FilterSlot>(std::to_string(slots_.size()),
                                                  registry.create(link.kind), options, link.values,
                                                  link.bypassed, true));
    key_counts_.push_back(key_tracks(slots_.back()->info(), slots_.back()->values()).size());
  }
}

void OfflineChain::process(const AudioBlock& block, std::span<const BlockView> keys) {
  if (block.frames > options_.max_frames || block.channel_count != options_.channels)
    throw Failure(ErrorKind::invalid_argument, "the block does not fit the chain");
  if (keys.size() != key_count())
    throw Failure(ErrorKind::invalid_argument,
                  "the chain takes " + std::to_string(key_count()) + " keys");
  const ScopedThreadRole role(ThreadRole::pump);
  const ScopedFlushToZero flush_to_zero;
  silence_faults(block);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    slots_[i]->process(block, keys.first(key_counts_[i]), position_, false);
    keys = keys.subspan(key_counts_[i]);
  }
  position_ += block.frames;
}

void OfflineChain::set(std::size_t link, const std::string& param, const ParamValue& value) {
  const PluginInfo& info = slot(link).info();
  const std::size_t index = param_index(info, param);
  if (!info.params[index].live)
    throw Failure(ErrorKind::invalid_argument, param + " takes another filter");
  slot(link).set(index, checked_value(info, info.params[index], value));
}

void OfflineChain::set_bypassed(std::size_t link, bool bypassed) {
  slot(link).set_bypassed(bypassed);
}

float OfflineChain::reduction_db(std::size_t link) const {
  return slot(link).reduction_db();
}

std::uint32_t OfflineChain::latency_frames() const noexcept {
  std::uint32_t sum = 0;
  for (const auto& slot : slots_) sum += slot->latency_frames();
  return sum;
}

std::uint64_t OfflineChain::faults() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& slot : slots_) sum += slot->faults();
  return sum;
}

std::size_t OfflineChain::key_count() const noexcept {
  return std::accumulate(key_counts_.begin(), key_counts_.end(), std::size_t{0});
}

FilterSlot& OfflineChain::slot(std::size_t link) const {
  if (link >= slots_.size())
    throw Failure(ErrorKind::invalid_argument, "the chain has no such filter");
  return *slots_[link];
}

}  // namespace pypac
