// SPDX-License-Identifier: MIT
#include "engine/plan.hpp"

#include <algorithm>

namespace pypac {

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
