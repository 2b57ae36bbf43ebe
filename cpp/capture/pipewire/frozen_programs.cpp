// SPDX-License-Identifier: MIT
#include "capture/pipewire/frozen_programs.hpp"

#include "capture/pipewire/graph_status.hpp"
#include "capture/process_table.hpp"
#include "os/process_snapshot.hpp"

namespace pypac {
namespace {

bool is_stopped(const NodeRecord& node) {
  if (!node.identity || node.identity->pid == 0) return false;
  const auto process = read_process(node.identity->pid);
  return process && process->stopped;
}

}  // namespace

bool FrozenPrograms::look(const GraphView& graph, bool stalled) {
  bool changed = false;
  if (stalled) {
    names_.clear();
    for (const auto& [id, node] : graph.nodes()) {
      if (!node->is_stream() || !is_stopped(*node)) continue;
      names_.push_back(program_of(*node->identity));
      changed = set_aside_.insert(node->serial).second || changed;
    }
  } else if (!set_aside_.empty()) {
    changed = std::erase_if(set_aside_, [&](std::uint64_t serial) {
                const NodeRecord* const node = graph.node_by_serial(serial);
                return !node || !is_stopped(*node);
              }) > 0;
    if (set_aside_.empty()) names_.clear();
  }
  return changed;
}

void FrozenPrograms::clear() {
  set_aside_.clear();
  names_.clear();
}

bool FrozenPrograms::is_frozen(const NodeRecord& node) const {
  // A frozen Pulse program does not hold the graph up: its server plays silence in its place.
  return is_set_aside(node.serial) || (node.identity && !node.identity->lineage.empty() &&
                                       node.identity->lineage.front().stopped);
}

}  // namespace pypac
