// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "capture/binding.hpp"
#include "capture/process_table.hpp"
#include "core/time.hpp"
#include "pipewire/pipewire_api.hpp"

namespace pypac {

class GraphView;

using NodeProperties = std::map<std::string, std::string, std::less<>>;

/// A program that is connected to PipeWire.
struct ClientRecord {
  GraphView* view = nullptr;
  std::uint32_t id = 0;
  NodeProperties properties;
  bool complete = false;  // its own properties have come, not only the registry's
  pw_proxy* proxy = nullptr;
  spa_hook listener{};
};

/// Which process a stream's client says it is.
struct ProcessClaim {
  std::int64_t pid = 0;    // 0: it says nothing
  bool by_kernel = false;  // the socket's other end is the program itself
  bool contained = false;  // the PID is that of a container
  std::string binary{};

  bool operator==(const ProcessClaim&) const = default;
};

/// A stream or a device.
struct NodeRecord {
  GraphView* view = nullptr;
  std::uint32_t id = 0;
  std::uint64_t serial = 0;
  NodeProperties properties;
  bool complete = false;
  pw_node_state state = PW_NODE_STATE_CREATING;
  HostTime state_since{};
  bool muted = false;
  double amplitude = 1;  // the loudest channel's volume
  std::uint32_t sample_rate = 0;
  std::uint32_t channels = 0;
  pw_proxy* proxy = nullptr;  // only of streams and inputs
  spa_hook listener{};
  std::optional<StreamIdentity> identity;  // once node and client are complete
  // Outlive `identity`, which is made again at every change of properties. While the claim stays,
  // the process that was found for it stays, too, and so do its ancestors: the system forgets them
  // when they end, and may give their PIDs to others.
  ProcessClaim claim;
  std::int64_t pid = 0;  // 0: not found
  std::vector<ProcessEntry> lineage;

  [[nodiscard]] std::string_view property(std::string_view key) const;
  [[nodiscard]] bool is_stream() const { return property("media.class") == "Stream/Output/Audio"; }
  [[nodiscard]] bool is_input() const {
    return property("media.class").starts_with("Audio/Source");
  }
  /// Frames come from it: it runs and its program has not paused it.
  [[nodiscard]] bool playing() const;
};

struct PortRecord {
  std::uint32_t id = 0;
  std::uint32_t node_id = 0;
  std::uint32_t index = 0;  // among the node's ports of its direction
  bool output = false;
  bool audio = false;    // 32-bit float samples
  bool monitor = false;  // of a sink; a virtual source marks its only outputs so
  std::string name;
  std::string position;  // "FL"; "AUX<n>" where the port does not say
};

struct LinkRecord {
  std::uint32_t output_node = 0;
  std::uint32_t input_node = 0;
};

/// What PipeWire's registry tells, kept up to date: clients, nodes, ports, links and the defaults.
///
/// All on the loop's thread, or under its lock.
class GraphView {
 public:
  /// `changed` is called at every event that may change a binding; `node_gone` before a node is
  /// forgotten. Neither may destroy the view.
  GraphView(const PipewireApi& api, std::function<void()> changed,
            std::function<void(const NodeRecord&)> node_gone);
  ~GraphView();
  GraphView(const GraphView&) = delete;
  GraphView& operator=(const GraphView&) = delete;

  /// Watches this connection. disconnect() before the core is gone.
  void connect(pw_core* core);
  void disconnect();

  [[nodiscard]] const std::map<std::uint32_t, std::unique_ptr<NodeRecord>>& nodes() const {
    return nodes_;
  }
  [[nodiscard]] const std::map<std::uint32_t, PortRecord>& ports() const { return ports_; }
  [[nodiscard]] const std::string& default_sink() const { return default_sink_; }
  [[nodiscard]] const std::string& default_source() const { return default_source_; }

  [[nodiscard]] NodeRecord* node_by_serial(std::uint64_t serial) const;
  [[nodiscard]] const NodeRecord* node(std::uint32_t id) const;
  /// Frames can be captured from this port of the node.
  [[nodiscard]] static bool is_tap(const NodeRecord& node, const PortRecord& port);
  /// The devices that a stream plays to, ascending.
  [[nodiscard]] std::vector<std::uint32_t> sinks_of(std::uint32_t node_id) const;

  /// Finds out who the streams belong to, as far as that is not known yet. Adds processes that are
  /// too new to be in the table.
  void identify(ProcessTable& processes);
  /// Takes the newest names of the processes behind the streams. Who they are, and who started
  /// them, stays.
  void refresh_lineages(ProcessTable& processes);

 private:
  friend struct GraphCallbacks;

  void add(std::uint32_t id, std::string_view type, std::uint32_t version,
           const spa_dict* properties);
  void remove(std::uint32_t id);
  [[nodiscard]] bool leads_to_sink(const LinkRecord& link) const;
  void forget_identities_of(std::uint32_t client_id);
  void release(ClientRecord& client);
  void release(NodeRecord& node);
  [[nodiscard]] std::string_view property_of(const NodeRecord& node, std::string_view key) const;
  [[nodiscard]] const ClientRecord* client_of(const NodeRecord& node) const;
  [[nodiscard]] ProcessClaim claim_of(const NodeRecord& node) const;
  void find_process(NodeRecord& node, ProcessTable& processes) const;

  const PipewireApi& api_;
  std::function<void()> changed_;
  std::function<void(const NodeRecord&)> node_gone_;
  pw_registry* registry_ = nullptr;
  spa_hook registry_listener_{};
  pw_proxy* metadata_ = nullptr;
  std::uint32_t metadata_id_ = 0;
  spa_hook metadata_listener_{};
  std::map<std::uint32_t, std::unique_ptr<ClientRecord>> clients_;
  std::map<std::uint32_t, std::unique_ptr<NodeRecord>> nodes_;
  std::unordered_map<std::uint64_t, NodeRecord*> nodes_by_serial_;
  std::map<std::uint32_t, PortRecord> ports_;
  std::map<std::uint32_t, LinkRecord> links_;
  std::string default_sink_;
  std::string default_source_;
};

}  // namespace pypac
