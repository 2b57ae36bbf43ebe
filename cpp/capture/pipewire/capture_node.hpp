// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "capture/pipewire/capture_slots.hpp"
#include "capture/pipewire/graph_clocks.hpp"
#include "capture/pipewire/graph_view.hpp"
#include "core/time.hpp"
#include "pipewire/pipewire_api.hpp"

namespace pypac {

/// What all nodes of one capture share. Outlives them.
struct NodeContext {
  const PipewireApi& api;
  CaptureSlots& slots;
  GraphClocks& clocks;
  std::function<void()> changed;  // a node's state has changed
};

/// A node of ours in the graph, which depends on the programs that are linked to it and on no
/// others: one that crashes or freezes in the middle of a cycle costs only its own source.
///
/// On the loop's thread, or under its lock.
class CaptureNode {
 public:
  /// It feeds `slot`, or, where that is nullptr, measures as `meter_node`.
  CaptureNode(const NodeContext& context, std::string name, SourceSlot* slot,
              std::uint32_t meter_node = 0);
  ~CaptureNode() { destroy(); }
  CaptureNode(const CaptureNode&) = delete;
  CaptureNode& operator=(const CaptureNode&) = delete;

  void make(pw_core* core);
  /// No cycle is processed once this has returned.
  void destroy();

  /// It is there, or was asked for.
  [[nodiscard]] bool made() const { return filter_ != nullptr; }
  /// It was refused, or destroyed by somebody else.
  [[nodiscard]] bool lost() const { return lost_; }
  /// It has been lost for a while, and should be made again.
  [[nodiscard]] bool to_be_remade() const;
  /// Why it was lost; empty: that was not said.
  [[nodiscard]] const std::string& error() const { return error_; }

  /// Adds a mono input; nullptr: that was refused.
  [[nodiscard]] void* add_port(const std::string& name, std::string_view position) const;
  /// The number of such an input; PW_ID_ANY: it is not in the graph yet.
  [[nodiscard]] std::uint32_t port_id(const GraphView& graph, const std::string& name) const;

 private:
  struct Callbacks;
  void lose(const std::string& error);

  const NodeContext& context_;
  const std::string name_;
  SourceSlot* const slot_;
  const std::uint32_t meter_node_;
  std::uint32_t clock_id_ = GraphClocks::kNone;  // capture thread: that it was called by last
  pw_filter* filter_ = nullptr;
  spa_hook state_listener_{};
  spa_hook process_listener_{};
  bool lost_ = false;
  HostTime lost_at_{};
  std::string error_;
};

}  // namespace pypac
