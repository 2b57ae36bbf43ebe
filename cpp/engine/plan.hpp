// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/send_node.hpp"
#include "engine/source_node.hpp"
#include "engine/track_chain.hpp"
#include "engine/track_node.hpp"
#include "plugin/sink.hpp"

namespace pypac {

/// What the pump does for each block, in order. Never changed: another graph is another plan,
/// swapped in between two blocks. The nodes carry the state, and may be part of many plans.
struct Plan {
  struct Send {
    std::shared_ptr<SourceNode> source;
    std::shared_ptr<SendNode> node;
    bool leaving = false;
  };
  struct Track {
    std::shared_ptr<TrackNode> node;
    std::vector<Send> sends;
    TrackChain chain;
    std::optional<TrackChain> old_chain;  // is heard until `chain` has come in
    bool may_pass = false;                // its block is its source's, while no gain says otherwise
    bool is_key = false;
    bool removed = false;  // the spec has it no longer, but an output still takes it
  };
  struct Output {
    std::string id;
    std::shared_ptr<LedgerAccount> account;
    std::shared_ptr<Sink> sink;
    std::vector<std::shared_ptr<TrackNode>> tracks;  // in the sink's order
  };

  std::vector<std::shared_ptr<SourceNode>> sources;
  std::size_t wanted_sources = 0;  // the first of them; the rest are leaving
  std::vector<Track> tracks;       // each behind those that steer it
  /// How many of the tracks are filtered side by side, group by group: no track steers another of
  /// its group.
  std::vector<std::size_t> groups;
  std::vector<Output> outputs;
  std::vector<std::shared_ptr<LedgerAccount>> closed_accounts;  // of what the last plan had

  /// [control-thread] nullptr: there is none.
  [[nodiscard]] const Track* track(const std::string& id) const noexcept;
  /// [control-thread] One that is not leaving; nullptr: there is none.
  [[nodiscard]] std::shared_ptr<SourceNode> source(const std::string& id) const noexcept;
  /// [control-thread] Makes `groups` of the tracks as they are, each of `at_once` tracks at most.
  void group_tracks(std::size_t at_once);
  /// [control-thread] Something is being faded over.
  [[nodiscard]] bool fades() const noexcept;
  /// [control-thread] Something was faded out, and a new plan can do without it.
  [[nodiscard]] bool has_faded() const noexcept;
};

}  // namespace pypac
