// SPDX-License-Identifier: MIT
#include "engine/track_node.hpp"

#include <utility>

namespace pypac {

TrackNode::TrackNode(std::string name, std::uint32_t channels,
                     std::vector<std::unique_ptr<Filter>> filters, std::uint32_t sample_rate,
                     std::uint32_t max_block)
    : name_(std::move(name)),
      filters_(std::move(filters)),
      block_(channels, max_block),
      meter_(sample_rate) {
  for (const auto& filter : filters_) filter->activate(sample_rate, channels, max_block);
}

TrackNode::~TrackNode() {
  for (const auto& filter : filters_) filter->deactivate();
}

void TrackNode::pass(BlockView source, const Meter& meter) noexcept {
  shown_ = source;
  meter_.follow(meter);
}

void TrackNode::begin(std::uint32_t frames) noexcept {
  shown_ = block_.view();
  frames_ = frames;
  empty_ = true;
}

void TrackNode::send(BlockView source, float gain) noexcept {
  Mixer::send(source, gain, empty_, block_, frames_);
  empty_ = false;
}

void TrackNode::finish() noexcept {
  if (empty_) Mixer::clear(block_, frames_);
  for (const auto& filter : filters_)
    filter->process({block_.channels(), block_.channel_count(), frames_});
  meter_.process(block_.channels(), block_.channel_count(), frames_);
}

std::uint32_t TrackNode::latency_frames() const noexcept {
  std::uint32_t sum = 0;
  for (const auto& filter : filters_) sum += filter->latency_frames();
  return sum;
}

}  // namespace pypac
