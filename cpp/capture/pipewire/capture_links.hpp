// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "capture/pipewire/graph_view.hpp"
#include "core/time.hpp"
#include "pipewire/pipewire_api.hpp"

namespace pypac {

using LinkKey = std::pair<std::uint32_t, std::uint32_t>;  // output port, our input port

/// The links from programs' ports to our own.
///
/// On the loop's thread, or under its lock.
class CaptureLinks {
 public:
  /// `changed`: a link is gone.
  CaptureLinks(const PipewireApi& api, std::function<void()> changed);
  ~CaptureLinks() { clear(); }
  CaptureLinks(const CaptureLinks&) = delete;
  CaptureLinks& operator=(const CaptureLinks&) = delete;

  /// Makes the links that are wanted and missing, and drops all others. One that was refused or
  /// taken away is made again after a while.
  void settle(const std::set<LinkKey>& wanted, pw_core* core, const GraphView& graph);
  void clear();

  [[nodiscard]] bool any_gone() const;
  /// All that are not gone are made.
  [[nodiscard]] bool all_made() const;
  /// When the newest that is not gone was asked for; 0: there is none.
  [[nodiscard]] HostTime newest() const;

 private:
  struct Link {
    CaptureLinks* links = nullptr;
    pw_proxy* proxy = nullptr;
    spa_hook proxy_listener{};
    bool made = false;
    bool gone = false;  // refused, or taken away
    HostTime since{};
  };
  struct Callbacks;

  void make(const LinkKey& key, pw_core* core, const GraphView& graph);
  void drop(Link& link);

  const PipewireApi& api_;
  const std::function<void()> changed_;
  std::map<LinkKey, std::unique_ptr<Link>> links_;
};

}  // namespace pypac
