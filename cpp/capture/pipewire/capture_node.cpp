// SPDX-License-Identifier: MIT
#include "capture/pipewire/capture_node.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "core/host_clock.hpp"
#include "pipewire/pipewire_connection.hpp"

namespace pypac {
namespace {

constexpr HostTime kRemakeAfter = std::chrono::milliseconds(250);

}  // namespace

/// The C callbacks of PipeWire.
struct CaptureNode::Callbacks {
  static void state(void* data, pw_filter_state, pw_filter_state state, const char* error) {
    auto& node = *static_cast<CaptureNode*>(data);
    if (!node.filter_) return;  // it is just what destroy() does
    if (state == PW_FILTER_STATE_ERROR || state == PW_FILTER_STATE_UNCONNECTED) {
      node.lose(error ? error : "");
    }
    node.context_.changed();
  }

  static void process(void* data, spa_io_position* position) {
    auto& node = *static_cast<CaptureNode*>(data);
    if (position) {
      node.context_.slots.process(*position, node.slot_, node.meter_node_, node.clock_id_);
    }
  }

  static pw_filter_events state_events() {
    pw_filter_events events{};
    events.version = PW_VERSION_FILTER_EVENTS;
    events.state_changed = state;
    return events;
  }

  static pw_filter_events process_events() {
    pw_filter_events events{};
    events.version = PW_VERSION_FILTER_EVENTS;
    events.process = process;
    return events;
  }
};

CaptureNode::CaptureNode(const NodeContext& context, std::string name, SourceSlot* slot,
                         std::uint32_t meter_node)
    : context_(context), name_(std::move(name)), slot_(slot), meter_node_(meter_node) {}

void CaptureNode::make(pw_core* core) {
  // No media.class: session managers leave the node alone, so it gets no volume, no resampler and
  // no link that we have not made. No group: it would have one device drive all of our nodes.
  pw_properties* const properties = context_.api.properties_new(
      PW_KEY_NODE_NAME, name_.c_str(), PW_KEY_NODE_DESCRIPTION, "PyPAC-OBS capture",
      PW_KEY_APP_NAME, "PyPAC-OBS", PW_KEY_MEDIA_TYPE, "Audio", PW_KEY_MEDIA_CATEGORY, "Capture",
      PW_KEY_NODE_AUTOCONNECT, "false", PW_KEY_NODE_ALWAYS_PROCESS, "true", kOwnNodeMark, "capture",
      nullptr);
  filter_ = context_.api.filter_new(core, "PyPAC-OBS", properties);
  if (!filter_) {
    lose(std::strerror(errno));
    return;
  }
  static const pw_filter_events state_events = Callbacks::state_events();
  static const pw_filter_events process_events = Callbacks::process_events();
  context_.api.filter_add_listener(filter_, &state_listener_, &state_events, this);
  context_.api.filter_add_listener(filter_, &process_listener_, &process_events, this);
  if (context_.api.filter_connect(filter_, PW_FILTER_FLAG_RT_PROCESS, nullptr, 0) < 0) {
    lose("PipeWire takes no node of ours");
  }
}

void CaptureNode::destroy() {
  // Joins the data thread's work for this node: no process() after this.
  if (filter_) context_.api.filter_destroy(std::exchange(filter_, nullptr));
  context_.clocks.leave(std::exchange(clock_id_, GraphClocks::kNone));
  lost_ = false;
}

void CaptureNode::lose(const std::string& error) {
  // Where the whole connection is lost, its end comes first, and all nodes are made anew.
  lost_ = true;
  lost_at_ = SystemClock().now();
  error_ = error;
}

bool CaptureNode::to_be_remade() const {
  return lost_ && SystemClock().now() - lost_at_ >= kRemakeAfter;
}

void* CaptureNode::add_port(const std::string& name, std::string_view position) const {
  if (!filter_) return nullptr;
  pw_properties* const properties = context_.api.properties_new(
      PW_KEY_FORMAT_DSP, "32 bit float mono audio", PW_KEY_PORT_NAME, name.c_str(),
      PW_KEY_AUDIO_CHANNEL, std::string(position).c_str(), nullptr);
  return context_.api.filter_add_port(filter_, PW_DIRECTION_INPUT, PW_FILTER_PORT_FLAG_MAP_BUFFERS,
                                      sizeof(std::uint64_t), properties, nullptr, 0);
}

std::uint32_t CaptureNode::port_id(const GraphView& graph, const std::string& name) const {
  const std::uint32_t node_id = filter_ ? context_.api.filter_get_node_id(filter_) : PW_ID_ANY;
  if (node_id == PW_ID_ANY) return PW_ID_ANY;
  for (const auto& [id, port] : graph.ports()) {
    if (port.node_id == node_id && port.name == name) return id;
  }
  return PW_ID_ANY;
}

}  // namespace pypac
