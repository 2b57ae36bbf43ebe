// SPDX-License-Identifier: MIT
#include "engine/plan.hpp"

#include <algorithm>
#include <span>

namespace pypac {
namespace {

bool steers(const TrackNode& key, const TrackChain& chain) {
  return std::ranges::any_of(chain.links, [&](const TrackChain::Link& link) {
    return std::ranges::any_of(link.keys,
                               [&](const TrackChain::Key& one) { return one.track.get() == &key; });
  });
}

bool steers(const Plan::Track& key, const Plan::Track& track) {
  return steers(*key.node, track.chain) || (track.old_chain && steers(*key.node, *track.old_chain));
}

}  // namespace

const Plan::Track* Plan::track(const std::string& id) const noexcept {
  const auto at =
      std::ranges::find_if(tracks, [&](const Track& one) { return one.node->id() == id; });
  return at == tracks.end() ? nullptr : &*at;
}

std::shared_ptr<SourceNode> Plan::source(const std::string& id) const noexcept {
  for (std::size_t i = 0; i < wanted_sources; ++i)
    if (sources[i]->id() == id) return sources[i];
  return nullptr;
}

void Plan::group_tracks(std::size_t at_once) {
  groups.clear();
  std::size_t begin = 0;
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    const auto group = std::span(tracks).subspan(begin, i - begin);
    const bool joins = i > begin && group.size() < std::min(at_once, FilterSlot::kMaxBank) &&
                       std::ranges::none_of(group, [&](const Track& one) {
                         return steers(one, tracks[i]) || steers(tracks[i], one);
                       });
    if (!joins) {
      groups.push_back(0);
      begin = i;
    }
    ++groups.back();
  }
}

bool Plan::fades() const noexcept {
  return std::ranges::any_of(tracks, [](const Track& track) {
    return track.old_chain ||
           std::ranges::any_of(track.sends, [](const Send& send) { return send.leaving; }) ||
           std::ranges::any_of(track.chain.links,
                               [](const TrackChain::Link& link) { return link.leaving; });
  });
}

bool Plan::has_faded() const noexcept {
  return std::ranges::any_of(tracks, [](const Track& track) {
    return (track.old_chain && track.chain.lines->entered()) ||
           std::ranges::any_of(
               track.sends, [](const Send& send) { return send.leaving && send.node->gone(); }) ||
           std::ranges::any_of(track.chain.links, [](const TrackChain::Link& link) {
             return link.leaving && link.slot->gone();
           });
  });
}

}  // namespace pypac
