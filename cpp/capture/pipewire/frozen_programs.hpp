// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "capture/pipewire/graph_view.hpp"

namespace pypac {

/// Programs that are stopped by a signal, and hold the graph up: their streams are set aside, which
/// means that they are not linked, until they go on.
///
/// On the loop's thread, or under its lock.
class FrozenPrograms {
 public:
  /// Looks who it is, where a node of ours is not called (`stalled`), and whether those that are
  /// set aside go on. True: others are set aside now.
  [[nodiscard]] bool look(const GraphView& graph, bool stalled);
  void forget(const NodeRecord& node) { set_aside_.erase(node.serial); }
  void clear();

  [[nodiscard]] bool is_set_aside(std::uint64_t serial) const {
    return set_aside_.contains(serial);
  }
  [[nodiscard]] bool is_frozen(const NodeRecord& node) const;
  /// Those that hold the graph up now.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  std::set<std::uint64_t> set_aside_;  // by serial
  std::vector<std::string> names_;
};

}  // namespace pypac
