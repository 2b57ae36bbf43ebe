// SPDX-License-Identifier: MIT
#include "capture/wasapi/capture_clients.hpp"

#include <algorithm>
#include <chrono>
#include <ranges>
#include <utility>

#include "capture/wasapi/loopback_packets.hpp"
#include "core/host_clock.hpp"
#include "core/status.hpp"

namespace pypac {
namespace {

using namespace std::chrono_literals;

constexpr HostTime kDeliversWithin = 300ms;
// A meter that has moved for so long while only silence came: not a matter of delays.
constexpr HostTime kBlindAfter = 2s;
// Windows may hold a capture up for ever, and its program is to be captured all the same.
constexpr HostTime kEndsWithin = 2s;

}  // namespace

void stop_together(const std::vector<std::shared_ptr<CaptureClient>>& clients, HostTime time,
                   const std::function<void(HostTime)>& meanwhile) noexcept {
  const HostTime deadline = SystemClock().now() + time;
  for (const auto& client : clients) client->ask_to_stop();
  meanwhile(deadline);
  for (const auto& client : clients) client->stop_by(deadline);
}

void CaptureClients::settle(const std::vector<CaptureTarget>& targets, MixedSource& source,
                            SourceTaps& taps) {
  for (auto at = taps.used.begin(); at != taps.used.end();) {
    if (std::ranges::binary_search(targets, at->first)) {
      ++at;
      continue;
    }
    if (const auto client = clients_.find(at->first); client != clients_.end())
      client->second->detach(*at->second);
    taps.free.push_back(std::move(at->second));
    at = taps.used.erase(at);
  }
  for (const CaptureTarget& target : targets) {
    if (taps.used.contains(target)) continue;
    if (!clients_.contains(target) && is_ending(target)) continue;  // the next look tries again
    std::shared_ptr<Tap> tap;
    if (taps.free.empty()) {
      tap = source.add_tap();
      if (!tap) continue;  // 64 trees at once are as many as a source can have
    } else {
      tap = std::move(taps.free.back());
      taps.free.pop_back();
    }
    std::shared_ptr<CaptureClient> client = clients_[target];
    try {
      if (!client) client = clients_[target] = std::make_shared<CaptureClient>(target);
    } catch (const Failure&) {
      clients_.erase(target);  // out of threads or events: the next look tries again
    }
    if (client && client->attach(tap)) {
      taps.used.emplace(target, std::move(tap));
    } else {
      taps.free.push_back(std::move(tap));
    }
  }
}

void CaptureClients::detach(const SourceTaps& taps) noexcept {
  for (const auto& [target, tap] : taps.used) {
    if (const auto client = clients_.find(target); client != clients_.end())
      client->second->detach(*tap);
  }
}

std::vector<std::shared_ptr<CaptureClient>> CaptureClients::take_unused(
    const std::set<CaptureTarget>& used) {
  std::vector<std::shared_ptr<CaptureClient>> unused;
  for (auto at = clients_.begin(); at != clients_.end();) {
    if (used.contains(at->first)) {
      ++at;
      continue;
    }
    unused.push_back(std::move(at->second));
    at = clients_.erase(at);
  }
  return unused;
}

std::vector<std::shared_ptr<CaptureClient>> CaptureClients::take_all() {
  return take_unused({});
}

void CaptureClients::keep_ending(const std::vector<std::shared_ptr<CaptureClient>>& stopped) {
  const HostTime time = SystemClock().now();
  std::erase_if(ending_, [&](const Ending& one) { return one.until <= time; });
  for (const auto& client : stopped) ending_.push_back({client, time + kEndsWithin});
}

bool CaptureClients::is_ending(const CaptureTarget& target) const {
  const HostTime time = SystemClock().now();
  return std::ranges::any_of(ending_, [&](const Ending& one) {
    return one.client->target() == target && one.until > time &&
           one.client->state() != CaptureClient::State::ended;
  });
}

const CaptureClient* CaptureClients::find(const CaptureTarget& target) const {
  const auto at = clients_.find(target);
  return at == clients_.end() ? nullptr : at->second.get();
}

bool CaptureClients::any_opening() const {
  return std::ranges::any_of(std::views::values(clients_), [](const auto& client) {
    return client->state() == CaptureClient::State::opening;
  });
}

bool CaptureClients::delivers(const CaptureClient& client) {
  if (client.state() != CaptureClient::State::running) return false;
  const HostTime last = client.packets().last_received();
  return last.count() != 0 && SystemClock().now() - last <= kDeliversWithin;
}

void CaptureClients::add_facts(const std::vector<CaptureTarget>& targets, StateFacts& facts) const {
  facts.open = targets.empty();  // nothing is to be opened
  for (const CaptureTarget& target : targets) {
    const CaptureClient* const client = find(target);
    facts.opening = facts.opening || is_ending(target);
    if (!client) continue;
    facts.opening = facts.opening || client->state() == CaptureClient::State::opening;
    facts.open = facts.open || client->state() == CaptureClient::State::running;
    if (!delivers(*client)) continue;
    facts.delivers = true;
    facts.sounds = facts.sounds || client->packets().silent_run() == 0;
  }
}

bool CaptureClients::long_silent(const std::vector<CaptureTarget>& targets) const {
  const auto blind = static_cast<std::uint64_t>(std::chrono::duration<double>(kBlindAfter).count() *
                                                CaptureClient::kRate);
  return std::ranges::all_of(targets, [&](const CaptureTarget& target) {
    const CaptureClient* const client = find(target);
    return !client || !delivers(*client) || client->packets().silent_run() > blind;
  });
}

const CaptureClient* CaptureClients::refused(const std::vector<CaptureTarget>& targets) const {
  for (const CaptureTarget& target : targets) {
    const CaptureClient* const client = find(target);
    if (!client || client->state() == CaptureClient::State::running) continue;
    if (!client->failure().empty()) return client;
  }
  return nullptr;
}

void CaptureClients::describe(WasapiServer& server) const {
  bool all_realtime = true;
  for (const auto& [target, client] : clients_) {
    if (client->state() != CaptureClient::State::running) continue;
    ++server.clients;
    const LoopbackPackets& packets = client->packets();
    server.disbelieved += packets.disbelieved();
    server.own_clock = server.own_clock || packets.own_clock();
    all_realtime = all_realtime && client->realtime();
    if (packets.packets() == 0) continue;
    server.quantum = std::max(server.quantum, packets.last_frames());
    server.rate = CaptureClient::kRate;
  }
  server.realtime = server.clients > 0 && all_realtime;
  if (server.clients == 0) {
    server.realtime_refusal = "no capture is open";
  } else if (!all_realtime) {
    server.realtime_refusal = "Windows' multimedia scheduler (MMCSS) refused it";
  }
}

}  // namespace pypac
