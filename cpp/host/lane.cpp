// SPDX-License-Identifier: MIT
#include "host/lane.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "core/host_clock.hpp"
#include "core/status.hpp"
#include "plugin/block_math.hpp"

namespace pypac {
namespace {

// How long the process has for a block, beside what is looked ahead to fade out in time.
constexpr std::uint32_t kTimeMs = 20;
constexpr HostTime kLook = std::chrono::milliseconds(1);

lane::Layout layout_for(const Activation& activation) noexcept {
  return {activation.channels, std::bit_ceil(activation.sample_rate)};
}

/// Copies frames [begin, begin + count) of a ring, in one or two pieces.
template <typename Copy>
void in_pieces(const lane::Layout& layout, std::int64_t begin, std::uint32_t count,
               const Copy& copy) noexcept {
  const std::uint32_t at = static_cast<std::uint32_t>(begin) & (layout.capacity - 1);
  const std::uint32_t first = std::min(count, layout.capacity - at);
  copy(std::size_t{at} * layout.channels, 0U, first);
  if (first < count) copy(std::size_t{0}, first, count - first);
}

}  // namespace

Lane::Lane(std::string kind, const Activation& activation)
    : kind_(std::move(kind)), layout_(layout_for(activation)), memory_(lane::bytes_of(layout_)) {
  auto* const header = new (memory_.data()) lane::Header{};
  header->sample_rate = activation.sample_rate;
  header->max_frames = activation.max_frames;
  header->layout = layout_;
  for (std::size_t i = 0; i < activation.values.size(); ++i)
    header->values[i].store(activation.values[i], std::memory_order_relaxed);
  // Nothing has been processed until a process says so.
  header->first.store(INT64_MAX, std::memory_order_release);
}

LaneFilter::LaneFilter(std::shared_ptr<const PluginInfo> info,
                       std::function<void(std::shared_ptr<Lane>)> on_lane,
                       std::uint32_t own_latency)
    : info_(std::move(info)), on_lane_(std::move(on_lane)), own_latency_(own_latency) {}

void LaneFilter::activate(const Activation& activation) {
  if (activation.values.size() > lane::Header::kMaxParams)
    throw Failure(ErrorKind::invalid_argument,
                  "the filter " + info_->kind + " has too many parameters");
  lane_ = std::make_shared<Lane>(info_->kind, activation);
  glide_ = glide_frames(activation.sample_rate);
  const auto time = static_cast<std::uint32_t>(activation.sample_rate * kTimeMs / 1000 + glide_);
  const std::uint32_t block = activation.max_frames;
  latency_ = (time + own_latency_ + block - 1) / block * block;
  line_.emplace(activation.channels, latency_, block);
  dry_.emplace(activation.channels, block);
  share_.emplace(static_cast<std::uint32_t>(glide_), 0.0F);
  written_ = expected_ = 0;
  resets_ = 0;
  on_lane_(lane_);
}

void LaneFilter::deactivate() noexcept {
  if (!lane_) return;
  lane_->header().closed.store(1, std::memory_order_release);
  lane_->closed_.store(true, std::memory_order_release);
}

void LaneFilter::reset() noexcept {
  lane::Header& header = lane_->header();
  expected_ = written_;
  header.reset_at.store(written_, std::memory_order_relaxed);
  header.resets.store(++resets_, std::memory_order_release);
}

void LaneFilter::process(const ProcessContext& context) noexcept {
  lane::Header& header = lane_->header();
  const AudioBlock& block = context.audio;
  for (const ParamChange& change : context.changes)
    header.values[change.index].store(change.value, std::memory_order_relaxed);
  const AudioBlock dry = dry_->block(block.frames);
  line_->write({block.channels, block.channel_count}, block.frames);
  line_->read(latency_, dry);
  send(block);
  const std::int64_t begin = written_ - block.frames - latency_;
  const std::int64_t end = begin + block.frames;
  // Looked ahead by a fade, so that what is heard until it is over is there.
  wait_for(std::max(begin, expected_), end + glide_);
  const bool is_there = has(std::max(begin, expected_), end + glide_);
  const bool is_expected = begin >= expected_;
  if (is_expected)
    share_->aim(is_there ? 1.0F : 0.0F);
  else
    share_->jump(is_there ? 1.0F : 0.0F);
  late_ = is_expected && !is_there ? block.frames : 0;
  lane_->late_frames_.fetch_add(late_, std::memory_order_relaxed);
  if (!is_expected || share_->stands_at(0)) {
    copy_block(dry, block);
    return;
  }
  fetch(begin + own_latency_, block);  // that late it has come out
  const bool only_wet = share_->stands_at(1);
  const GlideBlock share = share_->take(block.frames);
  if (!only_wet) cross_fade(dry, share, block);
}

void LaneFilter::send(const AudioBlock& block) noexcept {
  lane::Header& header = lane_->header();
  float* const ring = lane::sent(header);
  in_pieces(lane_->layout_, written_, block.frames,
            [&](std::size_t at, std::uint32_t from, std::uint32_t frames) {
              for (std::uint32_t i = 0; i < frames; ++i)
                for (std::uint32_t c = 0; c < block.channel_count; ++c)
                  ring[at++] = block.channels[c][from + i];
            });
  written_ += block.frames;
  header.written.store(written_, std::memory_order_release);
}

void LaneFilter::fetch(std::int64_t begin, const AudioBlock& block) const noexcept {
  lane::Header& header = lane_->header();
  const float* const ring = lane::returned(header, lane_->layout_);
  in_pieces(lane_->layout_, begin, block.frames,
            [&](std::size_t at, std::uint32_t from, std::uint32_t frames) {
              for (std::uint32_t i = 0; i < frames; ++i)
                for (std::uint32_t c = 0; c < block.channel_count; ++c)
                  block.channels[c][from + i] = ring[at++];
            });
}

bool LaneFilter::has(std::int64_t begin, std::int64_t end) const noexcept {
  const lane::Header& header = lane_->header();
  return header.done.load(std::memory_order_acquire) >= end + own_latency_ &&
         header.first.load(std::memory_order_acquire) <= begin;
}

void LaneFilter::wait_for(std::int64_t begin, std::int64_t end) const noexcept {
  const auto patience = [&] {
    return HostTime(lane_->patience_ns_.load(std::memory_order_relaxed));
  };
  if (patience().count() == 0) return;
  SystemClock clock;
  const HostTime began = clock.now();
  while (!has(begin, end) && clock.now() - began < patience()) {
    // A process that came later than these frames never gives them.
    const std::int64_t first = lane_->header().first.load(std::memory_order_acquire);
    if (first > begin && first != INT64_MAX) return;
    clock.sleep_until(clock.now() + kLook / 4);
  }
}

LaneEnd::LaneEnd(std::intptr_t handle, std::size_t bytes)
    : memory_(handle, bytes), header_(reinterpret_cast<lane::Header*>(memory_.data())) {
  if (bytes < sizeof(lane::Header) || lane::bytes_of(header_->layout) != bytes)
    throw Failure(ErrorKind::invalid_argument, "the shared memory is none of a filter");
  layout_ = header_->layout;
  resets_ = header_->resets.load(std::memory_order_acquire);
  read_ = header_->written.load(std::memory_order_acquire);
  // In this order: what lies between is believed by nobody.
  header_->first.store(INT64_MAX, std::memory_order_release);
  header_->done.store(read_, std::memory_order_release);
  header_->first.store(read_, std::memory_order_release);
}

std::uint32_t LaneEnd::wait(HostTime timeout) noexcept {
  SystemClock clock;
  const HostTime until = clock.now() + timeout;
  for (;;) {
    const std::int64_t written = header_->written.load(std::memory_order_acquire);
    const std::uint32_t resets = header_->resets.load(std::memory_order_acquire);
    std::int64_t from = read_;
    if (resets != resets_) {
      resets_ = resets;
      reset_ = true;
      from = std::max(from, header_->reset_at.load(std::memory_order_acquire));
    }
    // What is so old comes too late whatever is done, and may be overwritten meanwhile.
    if (written - from > layout_.capacity / 2) {
      from = written;
      reset_ = true;
    }
    if (from != read_) {
      read_ = from;
      header_->first.store(from, std::memory_order_release);
      header_->done.store(from, std::memory_order_release);
    }
    if (written > read_)
      return static_cast<std::uint32_t>(
          std::min<std::int64_t>(written - read_, header_->max_frames));
    if (header_->closed.load(std::memory_order_acquire) != 0 || clock.now() >= until) return 0;
    clock.sleep_until(clock.now() + kLook);
  }
}

bool LaneEnd::take_reset() noexcept {
  return std::exchange(reset_, false);
}

void LaneEnd::take(float* frames, std::uint32_t count) noexcept {
  const float* const ring = lane::sent(*header_);
  const std::size_t channels = layout_.channels;
  in_pieces(layout_, read_, count, [&](std::size_t at, std::uint32_t from, std::uint32_t length) {
    std::memcpy(frames + from * channels, ring + at, length * channels * sizeof(float));
  });
}

void LaneEnd::give(const float* frames, std::uint32_t count) noexcept {
  float* const ring = lane::returned(*header_, layout_);
  const std::size_t channels = layout_.channels;
  in_pieces(layout_, read_, count, [&](std::size_t at, std::uint32_t from, std::uint32_t length) {
    std::memcpy(ring + at, frames + from * channels, length * channels * sizeof(float));
  });
  read_ += count;
  header_->done.store(read_, std::memory_order_release);
}

}  // namespace pypac
