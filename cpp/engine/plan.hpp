// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/source_node.hpp"
#include "engine/track_node.hpp"
#include "plugin/sink.hpp"

namespace pypac {

/// Which sources go into which tracks, and which tracks to which outputs. Never changed: another
/// routing is another plan, swapped in between two blocks. The nodes carry the state and may be
/// part of many plans.
struct Plan {
  struct Send {
    std::size_t source;  // index into sources
    float gain;          // linear
  };
  struct Track {
    std::shared_ptr<TrackNode> node;
    std::vector<Send> sends;
    bool passes = false;  // one source at gain 1 and no filter: its block is the track's
  };
  struct Output {
    std::uint32_t subject;  // its number in the ledger
    std::shared_ptr<Sink> sink;
    std::vector<std::size_t> tracks;  // indices into tracks, in the sink's order
  };

  std::vector<std::shared_ptr<SourceNode>> sources;
  std::vector<Track> tracks;
  std::vector<Output> outputs;
};

}  // namespace pypac
