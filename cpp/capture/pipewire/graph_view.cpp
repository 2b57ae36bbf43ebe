// SPDX-License-Identifier: MIT
#include "capture/pipewire/graph_view.hpp"

#include <pipewire/extensions/metadata.h>
#include <spa/param/audio/format-utils.h>
#include <spa/param/props.h>
#include <spa/pod/iter.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/host_clock.hpp"
#include "os/valid_utf8.hpp"
#include "pipewire/pipewire_connection.hpp"

namespace pypac {
namespace {

template <typename Number>
Number number(std::string_view text, Number otherwise = 0) {
  Number value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string_view lookup(const NodeProperties& properties, std::string_view key) {
  const auto at = properties.find(key);
  return at == properties.end() ? std::string_view{} : std::string_view(at->second);
}

std::string_view lookup(const spa_dict* properties, const char* key) {
  const char* const value = properties ? spa_dict_lookup(properties, key) : nullptr;
  return value ? std::string_view(value) : std::string_view{};
}

void merge(NodeProperties& into, const spa_dict* properties) {
  if (!properties) return;
  for (std::uint32_t i = 0; i < properties->n_items; ++i) {
    const spa_dict_item& item = properties->items[i];
    if (item.value) into.insert_or_assign(valid_utf8(item.key), valid_utf8(item.value));
  }
}

/// The default devices are told as {"name":"alsa_output..."}.
std::string name_in_json(std::string_view json) {
  constexpr std::string_view kKey = "\"name\"";
  const std::size_t key = json.find(kKey);
  if (key == std::string_view::npos) return {};
  const std::size_t begin = json.find('"', key + kKey.size());
  if (begin == std::string_view::npos) return {};
  const std::size_t end = json.find('"', begin + 1);
  return end == std::string_view::npos ? std::string{}
                                       : std::string(json.substr(begin + 1, end - begin - 1));
}

/// Reads a process that may be too new for the table, and those of its ancestors that are, too.
void read_new(std::int64_t pid, ProcessTable& processes) {
  std::vector<ProcessEntry> line;
  auto entry = read_process(pid);
  while (entry && line.size() < kDeepestTree) {
    const ProcessEntry* const known = processes.find(entry->pid);
    if (known && known->start_time == entry->start_time) break;
    const std::int64_t parent = entry->parent_pid;
    line.push_back(std::move(*entry));
    entry = read_process(parent);
  }
  processes.add(std::move(line));
}

/// The process that a claim means; 0 if that cannot be told.
std::int64_t pid_of(const ProcessClaim& claim, const ProcessTable& processes) {
  if (claim.by_kernel) return claim.pid;
  // The socket's other end is pipewire-pulse here, for every program. What remains is what the
  // program says of itself, and that is the number inside its own container.
  const std::int64_t inside = processes.find_in_namespace(claim.pid, claim.binary);
  const auto process = read_process(claim.pid);
  // A program file that is not ours to see is nobody's: in a container 2 is a program, outside it
  // is the kernel.
  const bool outside = process && process->namespace_pid == process->pid &&
                       !process->executable.empty() && !claim.contained &&
                       (claim.binary.empty() || process->executable == claim.binary);
  if (!outside) return inside;
  return inside == 0 ? claim.pid : 0;  // either may be meant
}

}  // namespace

/// The C callbacks of PipeWire's objects.
struct GraphCallbacks {
  static void global(void* data, std::uint32_t id, std::uint32_t, const char* type,
                     std::uint32_t version, const spa_dict* properties) {
    static_cast<GraphView*>(data)->add(id, type, version, properties);
  }

  static void global_remove(void* data, std::uint32_t id) {
    static_cast<GraphView*>(data)->remove(id);
  }

  static void client_info(void* data, const pw_client_info* info) {
    auto& client = *static_cast<ClientRecord*>(data);
    merge(client.properties, info->props);
    client.complete = true;
    client.view->forget_identities_of(client.id);
    client.view->changed_();
  }

  static void node_info(void* data, const pw_node_info* info) {
    auto& node = *static_cast<NodeRecord*>(data);
    if ((info->change_mask & PW_NODE_CHANGE_MASK_PROPS) != 0) {
      merge(node.properties, info->props);
      node.identity.reset();
    }
    if (node.state != info->state) node.state_since = SystemClock().now();
    node.state = info->state;
    node.complete = true;
    node.view->changed_();
  }

  static void node_param(void* data, int, std::uint32_t id, std::uint32_t, std::uint32_t,
                         const spa_pod* param) {
    auto& node = *static_cast<NodeRecord*>(data);
    if (!param) return;
    if (id == SPA_PARAM_Props) read_volume(node, param);
    if (id == SPA_PARAM_Format) read_format(node, param);
    node.view->changed_();
  }

  static void read_volume(NodeRecord& node, const spa_pod* param) {
    if (!spa_pod_is_object_type(param, SPA_TYPE_OBJECT_Props)) return;
    const auto* const object = reinterpret_cast<const spa_pod_object*>(param);
    const spa_pod_prop* property = nullptr;
    SPA_POD_OBJECT_FOREACH(object, property) {
      if (property->key == SPA_PROP_mute) {
        bool muted = false;
        if (spa_pod_get_bool(&property->value, &muted) == 0) node.muted = muted;
      } else if (property->key == SPA_PROP_channelVolumes) {
        std::array<float, SPA_AUDIO_MAX_CHANNELS> volumes{};
        const std::uint32_t count =
            spa_pod_copy_array(&property->value, SPA_TYPE_Float, volumes.data(), volumes.size());
        if (count > 0) node.amplitude = *std::max_element(volumes.begin(), volumes.begin() + count);
      }
    }
  }

  static void read_format(NodeRecord& node, const spa_pod* param) {
    std::uint32_t type = 0;
    std::uint32_t subtype = 0;
    if (spa_format_parse(param, &type, &subtype) < 0) return;
    if (type != SPA_MEDIA_TYPE_audio || subtype != SPA_MEDIA_SUBTYPE_raw) return;
    spa_audio_info_raw raw{};
    if (spa_format_audio_raw_parse(param, &raw) < 0) return;
    node.sample_rate = raw.rate;
    node.channels = raw.channels;
  }

  static int metadata_property(void* data, std::uint32_t subject, const char* key, const char*,
                               const char* value) {
    auto& view = *static_cast<GraphView*>(data);
    if (subject != PW_ID_CORE) return 0;
    const std::string_view name(key ? key : "");
    const std::string device = value ? valid_utf8(name_in_json(value)) : std::string{};
    // No key: all are gone.
    if (!key || name == "default.audio.sink") view.default_sink_ = device;
    if (!key || name == "default.audio.source") view.default_source_ = device;
    view.changed_();
    return 0;
  }

  static pw_registry_events registry_events() {
    pw_registry_events events{};
    events.version = PW_VERSION_REGISTRY_EVENTS;
    events.global = global;
    events.global_remove = global_remove;
    return events;
  }

  static pw_client_events client_events() {
    pw_client_events events{};
    events.version = PW_VERSION_CLIENT_EVENTS;
    events.info = client_info;
    return events;
  }

  static pw_node_events node_events() {
    pw_node_events events{};
    events.version = PW_VERSION_NODE_EVENTS;
    events.info = node_info;
    events.param = node_param;
    return events;
  }

  static pw_metadata_events metadata_events() {
    pw_metadata_events events{};
    events.version = PW_VERSION_METADATA_EVENTS;
    events.property = metadata_property;
    return events;
  }
};

namespace {
const pw_registry_events kRegistryEvents = GraphCallbacks::registry_events();
const pw_client_events kClientEvents = GraphCallbacks::client_events();
const pw_node_events kNodeEvents = GraphCallbacks::node_events();
const pw_metadata_events kMetadataEvents = GraphCallbacks::metadata_events();
}  // namespace

std::string_view NodeRecord::property(std::string_view key) const {
  return lookup(properties, key);
}

bool NodeRecord::playing() const {
  return state == PW_NODE_STATE_RUNNING && property("pulse.corked") != "true";
}

GraphView::GraphView(const PipewireApi& api, std::function<void()> changed,
                     std::function<void(const NodeRecord&)> node_gone)
    : api_(api), changed_(std::move(changed)), node_gone_(std::move(node_gone)) {}

GraphView::~GraphView() {
  disconnect();
}

void GraphView::connect(pw_core* core) {
  registry_ = pw_core_get_registry(core, PW_VERSION_REGISTRY, 0);
  pw_registry_add_listener(registry_, &registry_listener_, &kRegistryEvents, this);
}

void GraphView::disconnect() {
  for (auto& [id, client] : clients_) release(*client);
  for (auto& [id, node] : nodes_) release(*node);
  clients_.clear();
  nodes_by_serial_.clear();
  nodes_.clear();
  ports_.clear();
  links_.clear();
  default_sink_.clear();
  default_source_.clear();
  if (metadata_) {
    spa_hook_remove(&metadata_listener_);
    api_.proxy_destroy(std::exchange(metadata_, nullptr));
  }
  if (registry_) {
    spa_hook_remove(&registry_listener_);
    api_.proxy_destroy(reinterpret_cast<pw_proxy*>(std::exchange(registry_, nullptr)));
  }
}

void GraphView::release(ClientRecord& client) {
  if (!client.proxy) return;
  spa_hook_remove(&client.listener);
  api_.proxy_destroy(std::exchange(client.proxy, nullptr));
}

void GraphView::release(NodeRecord& node) {
  if (!node.proxy) return;
  spa_hook_remove(&node.listener);
  api_.proxy_destroy(std::exchange(node.proxy, nullptr));
}

NodeRecord* GraphView::node_by_serial(std::uint64_t serial) const {
  const auto at = nodes_by_serial_.find(serial);
  return at == nodes_by_serial_.end() ? nullptr : at->second;
}

const NodeRecord* GraphView::node(std::uint32_t id) const {
  const auto at = nodes_.find(id);
  return at == nodes_.end() ? nullptr : at->second.get();
}

bool GraphView::is_tap(const NodeRecord& node, const PortRecord& port) {
  return port.node_id == node.id && port.output && port.audio && (!port.monitor || node.is_input());
}

std::vector<std::uint32_t> GraphView::sinks_of(std::uint32_t node_id) const {
  std::vector<std::uint32_t> sinks;
  for (const auto& [id, link] : links_) {
    if (link.output_node != node_id) continue;
    const NodeRecord* const target = node(link.input_node);
    if (target && target->property("media.class").starts_with("Audio/Sink")) {
      sinks.push_back(link.input_node);
    }
  }
  std::ranges::sort(sinks);
  sinks.erase(std::unique(sinks.begin(), sinks.end()), sinks.end());
  return sinks;
}

void GraphView::add(std::uint32_t id, std::string_view type, std::uint32_t version,
                    const spa_dict* properties) {
  // Should the news of its end have been lost: its listener points into the old record.
  if (clients_.contains(id) || nodes_.contains(id)) remove(id);
  if (type == PW_TYPE_INTERFACE_Client) {
    auto client = std::make_unique<ClientRecord>();
    client->view = this;
    client->id = id;
    merge(client->properties, properties);
    client->proxy = static_cast<pw_proxy*>(
        pw_registry_bind(registry_, id, PW_TYPE_INTERFACE_Client,
                         std::min<std::uint32_t>(version, PW_VERSION_CLIENT), 0));
    if (client->proxy) {
      pw_client_add_listener(reinterpret_cast<pw_client*>(client->proxy), &client->listener,
                             &kClientEvents, client.get());
    }
    clients_.insert_or_assign(id, std::move(client));
  } else if (type == PW_TYPE_INTERFACE_Node) {
    auto node = std::make_unique<NodeRecord>();
    node->view = this;
    node->id = id;
    merge(node->properties, properties);
    // Before 0.3.40 there was no serial: ids were not used twice then.
    node->serial = number<std::uint64_t>(node->property("object.serial"), id);
    if (node->is_stream() || node->is_input()) {
      node->proxy = static_cast<pw_proxy*>(
          pw_registry_bind(registry_, id, PW_TYPE_INTERFACE_Node,
                           std::min<std::uint32_t>(version, PW_VERSION_NODE), 0));
    }
    if (node->proxy) {
      auto* const proxy = reinterpret_cast<pw_node*>(node->proxy);
      pw_node_add_listener(proxy, &node->listener, &kNodeEvents, node.get());
      std::array<std::uint32_t, 2> wanted{SPA_PARAM_Props, SPA_PARAM_Format};
      pw_node_subscribe_params(proxy, wanted.data(), wanted.size());
    }
    nodes_by_serial_.insert_or_assign(node->serial, node.get());
    nodes_.insert_or_assign(id, std::move(node));
  } else if (type == PW_TYPE_INTERFACE_Port) {
    PortRecord port;
    port.id = id;
    port.node_id = number<std::uint32_t>(lookup(properties, "node.id"));
    port.index = number<std::uint32_t>(lookup(properties, "port.id"));
    port.output = lookup(properties, "port.direction") == "out";
    port.audio = lookup(properties, "format.dsp") == "32 bit float mono audio";
    port.monitor = lookup(properties, "port.monitor") == "true";
    port.name = lookup(properties, "port.name");
    port.position = valid_utf8(lookup(properties, "audio.channel"));
    if (port.position.empty() || port.position == "UNK") {
      port.position = "AUX" + std::string(lookup(properties, "port.id"));
    }
    ports_.insert_or_assign(id, std::move(port));
  } else if (type == PW_TYPE_INTERFACE_Link) {
    const LinkRecord link{number<std::uint32_t>(lookup(properties, "link.output.node")),
                          number<std::uint32_t>(lookup(properties, "link.input.node"))};
    links_.insert_or_assign(id, link);
    if (!leads_to_sink(link)) return;  // nothing depends on other links
  } else if (type == PW_TYPE_INTERFACE_Metadata) {
    if (lookup(properties, "metadata.name") != "default" || metadata_) return;
    metadata_ = static_cast<pw_proxy*>(
        pw_registry_bind(registry_, id, PW_TYPE_INTERFACE_Metadata, PW_VERSION_METADATA, 0));
    metadata_id_ = id;
    if (metadata_) {
      pw_metadata_add_listener(reinterpret_cast<pw_metadata*>(metadata_), &metadata_listener_,
                               &kMetadataEvents, this);
    }
    return;
  } else {
    return;
  }
  changed_();
}

void GraphView::remove(std::uint32_t id) {
  if (const auto client = clients_.find(id); client != clients_.end()) {
    release(*client->second);
    clients_.erase(client);
    return;
  }
  if (const auto node = nodes_.find(id); node != nodes_.end()) {
    node_gone_(*node->second);
    release(*node->second);
    nodes_by_serial_.erase(node->second->serial);
    nodes_.erase(node);
    changed_();
    return;
  }
  if (ports_.erase(id) != 0) {
    changed_();
    return;
  }
  if (metadata_ && id == metadata_id_) {
    spa_hook_remove(&metadata_listener_);
    api_.proxy_destroy(std::exchange(metadata_, nullptr));
    return;
  }
  const auto link = links_.find(id);
  if (link == links_.end()) return;
  const bool led_to_sink = leads_to_sink(link->second);
  links_.erase(link);
  if (led_to_sink) changed_();
}

bool GraphView::leads_to_sink(const LinkRecord& link) const {
  const NodeRecord* const from = node(link.output_node);
  const NodeRecord* const to = node(link.input_node);
  return from && from->is_stream() && to && to->property("media.class").starts_with("Audio/Sink");
}

void GraphView::forget_identities_of(std::uint32_t client_id) {
  for (const auto& [id, node] : nodes_) {
    if (const ClientRecord* client = client_of(*node); client && client->id == client_id) {
      node->identity.reset();
    }
  }
}

const ClientRecord* GraphView::client_of(const NodeRecord& node) const {
  const std::string_view id = node.property("client.id");
  if (id.empty()) return nullptr;
  const auto at = clients_.find(number<std::uint32_t>(id));
  return at == clients_.end() ? nullptr : at->second.get();
}

std::string_view GraphView::property_of(const NodeRecord& node, std::string_view key) const {
  const std::string_view own = node.property(key);
  if (!own.empty()) return own;
  const ClientRecord* const client = client_of(node);
  return client ? lookup(client->properties, key) : std::string_view{};
}

ProcessClaim GraphView::claim_of(const NodeRecord& node) const {
  const ClientRecord* const client = client_of(node);
  if (!client) return {};
  if (lookup(client->properties, "client.api") != "pipewire-pulse") {
    return {.pid = number<std::int64_t>(lookup(client->properties, "pipewire.sec.pid")),
            .by_kernel = true};
  }
  return {.pid = number<std::int64_t>(property_of(node, "application.process.id")),
          .contained = !lookup(client->properties, "pipewire.access.portal.app_id").empty(),
          .binary = std::string(property_of(node, "application.process.binary"))};
}

void GraphView::find_process(NodeRecord& node, ProcessTable& processes) const {
  ProcessClaim claim = claim_of(node);
  // A container's process may come into the table later than its stream: that is asked for again.
  if (claim == node.claim && node.pid != 0) return;
  node.claim = std::move(claim);
  node.pid = pid_of(node.claim, processes);
  read_new(node.pid, processes);
  node.lineage = processes.lineage(node.pid);
}

void GraphView::identify(ProcessTable& processes) {
  for (const auto& [id, node] : nodes_) {
    if (node->identity || !node->complete) continue;
    if (!node->is_stream() && !node->is_input()) continue;
    const ClientRecord* const client = client_of(*node);
    // A node without a client is the daemon's own; one whose client has not come yet must wait: it
    // could be just the program that is to be left out.
    if (client ? !client->complete : !node->property("client.id").empty()) continue;
    StreamIdentity identity;
    identity.serial = node->serial;
    identity.node_name = node->property("node.name");
    identity.description = node->property("node.description");
    if (!property_of(*node, kOwnNodeMark).empty()) {
      identity.kind = StreamKind::own;
    } else if (node->is_input()) {
      identity.kind = StreamKind::input;
    } else if (!node->property("node.link-group").empty()) {
      identity.kind = StreamKind::re_emitter;
    }
    identity.binary = property_of(*node, "application.process.binary");
    identity.application_name = property_of(*node, "application.name");
    identity.portal_app_id = property_of(*node, "pipewire.access.portal.app_id");
    find_process(*node, processes);
    identity.pid = node->pid;
    identity.lineage = node->lineage;
    node->identity = std::move(identity);
  }
}

void GraphView::refresh_lineages(ProcessTable& processes) {
  for (const auto& [id, node] : nodes_) {
    if (!node->identity) continue;
    if (node->pid == 0) find_process(*node, processes);
    for (ProcessEntry& process : node->lineage) {
      const ProcessEntry* const now = processes.find(process.pid);
      if (now && now->start_time == process.start_time) {
        process = *now;
      } else {
        process.stopped = false;  // it has ended
      }
    }
    node->identity->pid = node->pid;
    node->identity->lineage = node->lineage;
  }
}

}  // namespace pypac
