// SPDX-License-Identifier: MIT
#include "engine/track_node.hpp"

#include <utility>

#include "core/thread_role.hpp"
#include "engine/mixer.hpp"
#include "plugin/block_math.hpp"

namespace pypac {

TrackNode::TrackNode(std::string id, std::uint32_t channels, std::shared_ptr<LedgerAccount> account,
                     std::uint32_t sample_rate, std::uint32_t max_block, float gain, bool muted)
    : id_(std::move(id)),
      account_(std::move(account)),
      gain_(gain),
      muted_(muted),
      fader_(glide_frames(sample_rate), muted ? 0 : gain, true),
      block_(channels, max_block),
      key_block_(channels, max_block),
      meter_(sample_rate),
      loudness_(sample_rate, channels, max_block) {
  PYPAC_ASSERT_NOT_REALTIME();
}

bool TrackNode::passes() const noexcept {
  return fader_.stands_at(1) && target() == 1;
}

void TrackNode::pass(BlockView source, const Meter& meter) noexcept {
  PYPAC_ASSERT_PUMP();
  fader_.hear();
  shown_ = source;
  key_ = source;
  empty_ = false;
  silenced_ = false;
  meter_.follow(meter);
}

void TrackNode::begin(std::uint32_t frames) noexcept {
  PYPAC_ASSERT_PUMP();
  shown_ = block_.view();
  key_ = key_block_.view();
  frames_ = frames;
  empty_ = true;
}

void TrackNode::send(BlockView source, const GlideBlock& gain) noexcept {
  if (gain.is(0)) return;
  Mixer::send(source, gain, empty_, block_.block(frames_));
  empty_ = false;
}

AudioBlock TrackNode::mixed(const TrackChain& chain, const TrackChain* old_chain) noexcept {
  const AudioBlock mix = block_.block(frames_);
  if (empty_) Mixer::clear(mix);
  share_ = chain.lines->take_share(frames_, chain.ready());
  old_is_heard_ = old_chain && !share_.is(1);
  if (old_is_heard_) old_ = chain.lines->copy_of(mix);
  fader_.aim(target());
  level_ = fader_.take(frames_);
  silenced_ = level_.is(0) && muted_.load(std::memory_order_relaxed);
  return mix;
}

void TrackNode::finish(const TrackChain& chain, const TrackChain* old_chain, bool is_key,
                       Frames position) noexcept {
  const AudioBlock mix = block_.block(frames_);
  if (is_key) {
    const AudioBlock key = key_block_.block(frames_);
    copy_block(mix, key);
    Mixer::scale(key, level_);
    key_ = key_block_.view();
  }
  chain.lines->delay_behind(mix);
  if (old_is_heard_) {
    old_chain->filter(old_, position);
    old_chain->lines->delay_behind(old_);
    cross_fade(old_, share_, mix);
  }
  Mixer::scale(mix, level_);
  meter_.process(mix.channels, mix.channel_count, frames_);
}

}  // namespace pypac
