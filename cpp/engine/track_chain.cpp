// SPDX-License-Identifier: MIT
#include "engine/track_chain.hpp"

#include <algorithm>
#include <array>
#include <cassert>

#include "core/thread_role.hpp"
#include "engine/track_node.hpp"
#include "host/faults.hpp"
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

std::span<const BlockView> TrackChain::Link::take_keys(std::uint32_t frames,
                                                       std::span<BlockView> room) const noexcept {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    room[i] = keys[i].track->key();
    if (KeyLine* const late = keys[i].line.get()) {
      late->line.write(room[i], frames);
      late->line.read(late->delay, late->block.block(frames));
      room[i] = late->block.view();
    }
  }
  return room.first(keys.size());
}

void TrackChain::filter(const AudioBlock& block, Frames position) const noexcept {
  const Run run{this, block};
  filter_bank({&run, 1}, position);
}

void TrackChain::filter_bank(std::span<const Run> runs, Frames position) noexcept {
  PYPAC_ASSERT_PUMP();
  assert(runs.size() <= FilterSlot::kMaxBank);
  std::array<std::size_t, FilterSlot::kMaxBank> next{};
  std::array<std::array<BlockView, kMaxKeys>, FilterSlot::kMaxBank> keys;
  std::array<FilterSlot::Run, FilterSlot::kMaxBank> bank;
  for (const Run& run : runs) {
    silence_faults(run.block);  // of a program
    run.chain->lines->delay_before(run.block);
  }
  // The first chain that is not through goes on, and with it all that have come to the same kind.
  for (std::size_t first = 0; first < runs.size();) {
    if (next[first] == runs[first].chain->links.size()) {
      ++first;
      continue;
    }
    const PluginInfo& kind = runs[first].chain->links[next[first]].slot->info();
    std::size_t count = 0;
    for (std::size_t i = first; i < runs.size(); ++i) {
      const std::vector<Link>& links = runs[i].chain->links;
      if (next[i] == links.size() || &links[next[i]].slot->info() != &kind) continue;
      const Link& link = links[next[i]++];
      bank[count++] = {link.slot.get(), runs[i].block,
                       link.take_keys(runs[i].block.frames, keys[i]), link.leaving};
    }
    FilterSlot::run_bank({bank.data(), count}, position);
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
