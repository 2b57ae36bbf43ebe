// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace pypac {

/// A track, and those whose sound steers its filters.
struct TrackKeys {
  std::string id;
  std::vector<std::string> keys;
};

/// [control-thread] The places of all tracks in an order in which each stands behind its keys, else
/// as given. Throws Failure(invalid_argument) where a key names no track, or tracks steer each
/// other in a circle, whose path it tells.
///
/// Example: game steered by voice, voice, music: voice, game, music.
[[nodiscard]] std::vector<std::size_t> order_tracks(const std::vector<TrackKeys>& tracks);

}  // namespace pypac
