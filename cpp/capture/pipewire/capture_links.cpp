// SPDX-License-Identifier: MIT
#include "capture/pipewire/capture_links.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>

#include "core/host_clock.hpp"

namespace pypac {
namespace {

constexpr HostTime kRetryAfter = std::chrono::milliseconds(250);

HostTime now() {
  return SystemClock().now();
}

}  // namespace

/// The C callbacks of PipeWire.
struct CaptureLinks::Callbacks {
  static void bound(void* data, std::uint32_t) { static_cast<Link*>(data)->made = true; }

  static void gone(void* data) {
    auto& link = *static_cast<Link*>(data);
    link.gone = true;
    link.since = now();
    link.links->changed_();
  }

  static void error(void* data, int, int, const char*) { gone(data); }

  static pw_proxy_events events() {
    pw_proxy_events events{};
    events.version = PW_VERSION_PROXY_EVENTS;
    events.bound = bound;
    events.removed = gone;
    events.error = error;
    return events;
  }
};

CaptureLinks::CaptureLinks(const PipewireApi& api, std::function<void()> changed)
    : api_(api), changed_(std::move(changed)) {}

void CaptureLinks::settle(const std::set<LinkKey>& wanted, pw_core* core, const GraphView& graph) {
  for (auto at = links_.begin(); at != links_.end();) {
    Link& link = *at->second;
    const bool retry = link.gone && now() - link.since > kRetryAfter;
    if (wanted.contains(at->first) && !retry) {
      ++at;
      continue;
    }
    drop(link);
    at = links_.erase(at);
  }
  for (const LinkKey& key : wanted) {
    if (!links_.contains(key)) make(key, core, graph);
  }
}

void CaptureLinks::clear() {
  for (auto& [key, link] : links_) drop(*link);
  links_.clear();
}

bool CaptureLinks::any_gone() const {
  return std::ranges::any_of(links_, [](const auto& one) { return one.second->gone; });
}

bool CaptureLinks::all_made() const {
  return std::ranges::all_of(links_,
                             [](const auto& one) { return one.second->gone || one.second->made; });
}

HostTime CaptureLinks::newest() const {
  HostTime newest{};
  for (const auto& [key, link] : links_) {
    if (!link->gone) newest = std::max(newest, link->since);
  }
  return newest;
}

void CaptureLinks::make(const LinkKey& key, pw_core* core, const GraphView& graph) {
  const auto output = graph.ports().find(key.first);
  const auto input = graph.ports().find(key.second);
  if (output == graph.ports().end() || input == graph.ports().end()) return;
  const std::string output_node = std::to_string(output->second.node_id);
  const std::string output_port = std::to_string(key.first);
  const std::string input_node = std::to_string(input->second.node_id);
  const std::string input_port = std::to_string(key.second);
  const std::array<spa_dict_item, 5> items{
      SPA_DICT_ITEM_INIT(PW_KEY_LINK_OUTPUT_NODE, output_node.c_str()),
      SPA_DICT_ITEM_INIT(PW_KEY_LINK_OUTPUT_PORT, output_port.c_str()),
      SPA_DICT_ITEM_INIT(PW_KEY_LINK_INPUT_NODE, input_node.c_str()),
      SPA_DICT_ITEM_INIT(PW_KEY_LINK_INPUT_PORT, input_port.c_str()),
      SPA_DICT_ITEM_INIT(PW_KEY_OBJECT_LINGER, "false"),
  };
  const spa_dict properties = SPA_DICT_INIT(items.data(), static_cast<std::uint32_t>(items.size()));
  auto link = std::make_unique<Link>();
  link->links = this;
  link->since = now();
  link->proxy = static_cast<pw_proxy*>(pw_core_create_object(
      core, "link-factory", PW_TYPE_INTERFACE_Link, PW_VERSION_LINK, &properties, 0));
  if (!link->proxy) return;
  static const pw_proxy_events events = Callbacks::events();
  api_.proxy_add_listener(link->proxy, &link->proxy_listener, &events, link.get());
  links_.emplace(key, std::move(link));
}

void CaptureLinks::drop(Link& link) {
  if (!link.proxy) return;
  spa_hook_remove(&link.proxy_listener);
  api_.proxy_destroy(std::exchange(link.proxy, nullptr));
}

}  // namespace pypac
