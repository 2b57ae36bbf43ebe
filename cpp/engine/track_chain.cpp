// SPDX-License-Identifier: MIT
#include "engine/track_chain.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "core/thread_role.hpp"
#include "engine/track_node.hpp"
#include "plugin/block_math.hpp"

namespace pypac {
namespace {
// Longer than a filter has to start.
constexpr std::uint64_t kWaitSeconds = 30;
}  // namespace

ChainLines::ChainLines(std::uint32_t channels, std::uint32_t sample_rate, std::uint32_t max_frames,
                       std::uint32_t before, std::uint32_t behind,
                       std::optional<std::uint32_t> warm_up)
    : before_(before),
      behind_(behind),
      copy_(channels, max_frames),
      waiting_(kWaitSeconds * sample_rate),
      warming_(warm_up.value_or(0)),
      share_(glide_frames(sample_rate), warm_up ? 0.0F : 1.0F),
      heard_(!warm_up),
      entered_(!warm_up) {
  PYPAC_ASSERT_NOT_REALTIME();
  if (before > 0) before_line_.emplace(channels, before, max_frames);
  if (behind > 0) behind_line_.emplace(channels, behind, max_frames);
}

void ChainLines::delay_before(const AudioBlock& block) noexcept {
  if (before_line_) before_line_->process(before_, block);
}

void ChainLines::delay_behind(const AudioBlock& block) noexcept {
  if (behind_line_) behind_line_->process(behind_, block);
}

GlideBlock ChainLines::take_share(std::uint32_t frames, bool ready) noexcept {
  if (warming_ == 0) share_.aim(1);
  heard_.store(!share_.stands_at(0), std::memory_order_release);
  if (ready || waiting_ == 0)
    warming_ -= std::min(warming_, frames);
  else
    waiting_ -= std::min<std::uint64_t>(waiting_, frames);
  entered_.store(share_.stands_at(1), std::memory_order_release);
  return share_.take(frames);
}

AudioBlock ChainLines::copy_of(const AudioBlock& block) noexcept {
  const AudioBlock copy = copy_.block(block.frames);
  copy_block(block, copy);
  return copy;
}

void TrackChain::filter(const AudioBlock& block, Frames position) const noexcept {
  PYPAC_ASSERT_PUMP();
  lines->delay_before(block);
  for (const Link& link : links) {
    std::array<BlockView, kMaxKeys> keys;
    for (std::size_t i = 0; i < link.keys.size(); ++i) {
      keys[i] = link.keys[i].track->key();
      if (KeyLine* const line = link.keys[i].line.get()) {
        line->line.write(keys[i], block.frames);
        line->line.read(line->delay, line->block.block(block.frames));
        keys[i] = line->block.view();
      }
    }
    link.slot->process(block, std::span(keys).first(link.keys.size()), position, link.leaving);
  }
}

TrackChain::Late TrackChain::late(Frames position) const noexcept {
  Late worst;
  position -= lines->before();
  for (const Link& link : links) {
    position -= link.slot->latency_frames();
    const std::uint32_t frames = link.slot->late_frames();
    if (frames > worst.frames && position >= 0) worst = {position, frames};
  }
  return worst;
}

bool TrackChain::ready() const noexcept {
  return std::ranges::all_of(links, [](const Link& link) { return link.slot->ready(); });
}

std::uint32_t TrackChain::latency_frames() const noexcept {
  PYPAC_ASSERT_NOT_REALTIME();
  std::uint32_t sum = lines->before();
  for (const Link& link : links) sum += link.leaving ? 0 : link.slot->latency_frames();
  return sum;
}

}  // namespace pypac
