// SPDX-License-Identifier: MIT
#include "capture/pipewire/pipewire_watcher.hpp"

#include <algorithm>
#include <set>
#include <thread>
#include <utility>

#include "capture/pipewire/graph_status.hpp"
#include "capture/source_names.hpp"
#include "capture/source_state.hpp"
#include "core/decibels.hpp"
#include "core/host_clock.hpp"
#include "core/status.hpp"
#include "os/thread_priority.hpp"

namespace pypac {
namespace {

using namespace std::chrono_literals;

// Process names and parents change without an event.
constexpr HostTime kProcessRefresh = 1s;
// A killed program's process outlives its streams by some milliseconds.
constexpr HostTime kRestlessAfterExit = 500ms;
constexpr HostTime kRestlessWhileFrozen = 50ms;
// Above the latest callbacks on a busy virtual machine (46 ms measured).
constexpr HostTime kStalledAfter = 80ms;
constexpr int kStalledCycles = 3;
constexpr HostTime kDeliversWithin = 300ms;
constexpr HostTime kStartsWithin = 1s;
constexpr HostTime kRestartsWithin = 300ms;

HostTime now() {
  return SystemClock().now();
}

}  // namespace

PipewireCapture::Watcher::Watcher(PipewireOptions options)
    : options_(std::move(options)),
      api_(PipewireApi::load()),
      clocks_(std::make_shared<GraphClocks>(options_.timeline_rate)),
      slots_(api_, clocks_),
      connection_(api_, options_.remote, *this),
      nodes_{api_, slots_, *clocks_, [this] { connection_.mark_changed(); }},
      graph_(
          api_, [this] { connection_.mark_changed(); },
          [this](const NodeRecord& node) { forget(node); }),
      meters_(nodes_),
      links_(api_, [this] { connection_.mark_changed(); }) {
  refresh_processes();
  connection_.start();
}

// -- what comes and goes

void PipewireCapture::Watcher::connected(pw_core* core) {
  graph_.connect(core);
  if (options_.meter_streams)
    meters_.make_nodes(core);
  else if (sources_.empty())
    meters_.make_first_node(core);
  for (CapturedSource& source : sources_) source.lanes.make_nodes(core);
}

void PipewireCapture::Watcher::disconnecting() {
  links_.clear();
  meters_.disconnect();
  for (CapturedSource& source : sources_) source.lanes.disconnect();
  clocks_->renew_all();
  graph_.disconnect();
  ports_pending_ = false;
  frozen_.clear();
}

void PipewireCapture::Watcher::lost() {
  for (CapturedSource& source : sources_) {
    source.binding = {};
    source.state = SourceState::backend_lost;
    source.source->set_absence(Cause::backend_lost);
  }
}

void PipewireCapture::Watcher::stopping() {
  for (CapturedSource& source : sources_) source.source->stop();
}

void PipewireCapture::Watcher::forget(const NodeRecord& node) {
  frozen_.forget(node);
  restless_until_ = now() + kRestlessAfterExit;
  processes_stale_ = true;
  clocks_->renew(node.id);
}

std::shared_ptr<Source> PipewireCapture::Watcher::add_source(std::string name, Selector selector,
                                                             std::uint32_t channels) {
  check_source(name, selector, channels);
  auto source = std::make_shared<PipewireSource>(channels, options_.capacity_frames,
                                                 options_.timeline_rate, clocks_);
  const GraphConnection::Access access(connection_);
  check_room(sources_, name);
  SourceLanes lanes(nodes_, name, channels, source);
  sources_.push_back({std::move(name), std::move(selector), source, std::move(lanes)});
  sources_.back().bound_since = now();
  if (pw_core* const core = connection_.core()) sources_.back().lanes.make_nodes(core);
  connection_.mark_changed();
  return source;
}

void PipewireCapture::Watcher::remove_source(const std::string& name) {
  const GraphConnection::Access access(connection_);
  const auto at = find_source(sources_, name);
  const CapturedSource removed = std::move(*at);  // until its links are gone
  sources_.erase(at);
  removed.source->stop();
  removed.source->set_absence(Cause::not_running);
  // Before its nodes: PipeWire gives the numbers of their ports to the next ones.
  evaluate();
  pw_core* const core = connection_.core();
  if (core && sources_.empty()) meters_.make_first_node(core);
}

// -- bindings

void PipewireCapture::Watcher::refresh_processes() {
  snapshot_.refresh();
  processes_.update(snapshot_.processes());
  refreshed_at_ = now();
  processes_stale_ = false;
}

std::vector<StreamIdentity> PipewireCapture::Watcher::identities() const {
  std::vector<StreamIdentity> streams;
  for (const auto& [id, node] : graph_.nodes()) {
    if (!node->identity) continue;
    streams.push_back(*node->identity);
    streams.back().is_default =
        node->is_input() && node->identity->node_name == graph_.default_source();
  }
  return streams;
}

void PipewireCapture::Watcher::evaluate() {
  if (!connection_.synced()) return;
  if (processes_stale_) refresh_processes();
  graph_.identify(processes_);
  std::vector<Selector> selectors;
  selectors.reserve(sources_.size());
  for (const CapturedSource& source : sources_) selectors.push_back(source.selector);
  pinned_.pin(selectors, processes_);
  std::vector<Binding> bindings = bind_sources(selectors, identities(), processes_, pinned_);

  pw_core* const core = connection_.core();
  ports_pending_ = false;
  std::set<LinkKey> wanted;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    CapturedSource& source = sources_[i];
    if (source.binding.serials != bindings[i].serials) source.bound_since = now();
    source.binding = std::move(bindings[i]);
    const bool complete =
        source.lanes.want_links(source.selector, source.binding, graph_, frozen_, core, wanted);
    ports_pending_ = ports_pending_ || !complete;
  }
  if (options_.meter_streams) meters_.want_links(graph_, frozen_, core, wanted);
  links_.settle(wanted, core, graph_);
  update_states();
}

void PipewireCapture::Watcher::tick() {
  const HostTime time = now();
  // A program that is thawed should be seen to be so without delay.
  const bool any_frozen = std::ranges::any_of(
      sources_, [](const CapturedSource& one) { return one.state == SourceState::frozen; });
  if (any_frozen) restless_until_ = std::max(restless_until_, time + kRestlessWhileFrozen);
  if (time - refreshed_at_ >= kProcessRefresh || time < restless_until_) {
    refresh_processes();
    graph_.refresh_lineages(processes_);
    connection_.mark_changed();
  }
  if (connection_.synced()) {
    pw_core* const core = connection_.core();
    bool remade = meters_.remake_lost(core);
    for (CapturedSource& source : sources_) remade = source.lanes.remake_lost(core) || remade;
    if (remade) connection_.mark_changed();
  }
  if (frozen_.look(graph_, any_node_stalled()) || links_.any_gone()) connection_.mark_changed();
  update_states();
}

bool PipewireCapture::Watcher::any_node_stalled() const {
  if (!connection_.synced() || clocks_->rate() == 0) return false;
  const HostTime cycle = HostTime(1s) * clocks_->quantum() / clocks_->rate();
  const HostTime oldest = now() - std::max(kStalledAfter, kStalledCycles * cycle);
  const std::int64_t last = slots_.last_cycle_ns();
  return (last != 0 && HostTime(last) < oldest) ||
         std::ranges::any_of(sources_, [&](const CapturedSource& source) {
           return source.lanes.stalled_since(oldest);
         });
}

// -- states

bool PipewireCapture::Watcher::restarts(const CapturedSource& source) const {
  return std::ranges::any_of(source.binding.serials, [&](std::uint64_t serial) {
    const NodeRecord* const node = graph_.node_by_serial(serial);
    return node && now() - node->state_since < kRestartsWithin;
  });
}

bool PipewireCapture::Watcher::plays(const CapturedSource& source) const {
  return std::ranges::any_of(source.binding.serials, [&](std::uint64_t serial) {
    const NodeRecord* const node = graph_.node_by_serial(serial);
    return node && node->playing() && !frozen_.is_frozen(*node);
  });
}

StateFacts PipewireCapture::Watcher::state_facts(const CapturedSource& source) const {
  StateFacts facts = told_facts(graph_, source.selector, source.binding);
  facts.backend_lost = !connection_.synced();
  facts.playing = source.playing_since != HostTime{};
  facts.audible = false;
  bool any_thawed = false;
  for (const std::uint64_t serial : source.binding.serials) {
    const NodeRecord* const node = graph_.node_by_serial(serial);
    if (!node) continue;
    const bool frozen = frozen_.is_frozen(*node);
    facts.frozen = facts.frozen || frozen;
    any_thawed = any_thawed || !frozen;
    facts.audible =
        facts.audible || (!frozen && node->playing() && !node->muted && node->amplitude > 0);
  }
  facts.frozen = facts.frozen && !any_thawed;
  facts.open = true;  // PipeWire links one stream as well as another
  facts.frames_of_muted = true;
  const HostTime time = now();
  const HostTime delivered = source.lanes.delivered_at();
  facts.delivers = delivered >= source.bound_since && time - delivered < kDeliversWithin;
  // It may just have been bound, or have gone on after a pause.
  facts.fresh = time - std::max(source.bound_since, source.playing_since) < kStartsWithin;
  return facts;
}

void PipewireCapture::Watcher::update_states() {
  for (CapturedSource& source : sources_) {
    if (!plays(source))
      source.playing_since = {};
    else if (source.playing_since == HostTime{})
      source.playing_since = now();
    source.state = source_state(state_facts(source));
    source.source->set_absence(absence_cause(source.state), restarts(source));
  }
}

SourceStatus PipewireCapture::Watcher::source_status(const std::string& name) {
  const GraphConnection::Access access(connection_);
  const CapturedSource& source = *find_source(sources_, name);
  SourceStatus status = binding_status(graph_, frozen_, source.selector, source.binding);
  status.name = name;
  status.state = source.state;
  ReasonFacts facts = told_reason(graph_, source.selector, source.binding, source.state);
  if (const CaptureNode* const lost = source.lanes.lost_node()) {
    facts.capture_removed = true;
    facts.refusal = lost->error();
  }
  if (!frozen_.names().empty()) facts.frozen_program = frozen_.names().front();
  status.reason = state_reason(source.state, facts);
  status.packets = source.source->packets();
  return status;
}

std::vector<SourceStatus> PipewireCapture::Watcher::preview(
    const std::vector<Selector>& selectors) {
  const GraphConnection::Access access(connection_);
  refresh_processes();
  graph_.identify(processes_);
  PinnedProcesses pinned = pinned_;
  pinned.pin(selectors, processes_);
  const std::vector<Binding> bindings = bind_sources(selectors, identities(), processes_, pinned);
  std::vector<SourceStatus> found;
  for (std::size_t i = 0; i < selectors.size(); ++i) {
    SourceStatus status = binding_status(graph_, frozen_, selectors[i], bindings[i]);
    status.state = told_state(told_facts(graph_, selectors[i], bindings[i]));
    ReasonFacts facts = told_reason(graph_, selectors[i], bindings[i], status.state);
    facts.previewed = true;
    status.reason = state_reason(status.state, facts);
    found.push_back(std::move(status));
  }
  return found;
}

std::vector<StreamView> PipewireCapture::Watcher::streams() {
  const GraphConnection::Access access(connection_);
  std::vector<StreamView> views;
  for (const auto& [id, node] : graph_.nodes()) {
    if (!node->identity) continue;
    views.push_back(stream_view(graph_, frozen_, *node));
    if (const auto peak = meters_.take_peak(node->serial))
      views.back().peak_db = db_from_linear(*peak);
  }
  std::ranges::sort(views, {}, &StreamView::serial);
  return views;
}

PipewireServer PipewireCapture::Watcher::server_info() {
  const GraphConnection::Access access(connection_);
  PipewireServer info;
  info.connected = connection_.answered();
  info.library_version = api_.get_library_version();
  info.server_version = connection_.server_version();
  info.default_sink = graph_.default_sink();
  info.default_source = graph_.default_source();
  if (const NodeRecord* const driver = graph_.node(clocks_->clock_id());
      driver && clocks_->cycles() != 0) {
    info.driver = driver->property("node.name");
  }
  info.quantum = clocks_->quantum();
  info.rate = clocks_->rate();
  info.cycles = clocks_->cycles();
  info.lost_cycles = clocks_->lost_cycles();
  info.reconnects = connection_.reconnects();
  if (const std::int64_t thread = slots_.thread_id(); thread != 0) {
    const ThreadPriority priority = thread_priority(thread);
    info.realtime = priority.realtime;
    info.realtime_priority = priority.priority;
    info.realtime_refusal = priority.refusal;
  } else {
    info.realtime_refusal = "the capture thread has not run yet";
  }
  info.frozen_programs = frozen_.names();
  return info;
}

bool PipewireCapture::Watcher::settled() const {
  if (!connection_.synced() || connection_.changed() || ports_pending_) return false;
  if (clocks_->cycles() == 0 || !links_.all_made()) return false;
  if (HostTime(slots_.last_cycle_ns()) <= links_.newest()) return false;
  return std::ranges::none_of(sources_, [&](const CapturedSource& source) {
    const bool playing = std::ranges::any_of(source.binding.serials, [&](std::uint64_t serial) {
      const NodeRecord* const node = graph_.node_by_serial(serial);
      return node && node->playing() && !frozen_.is_set_aside(serial);
    });
    return playing && source.lanes.delivered_at() < source.bound_since;
  });
}

bool PipewireCapture::Watcher::wait_until_running(std::chrono::milliseconds timeout) {
  const HostTime deadline = now() + timeout;
  for (;;) {
    {
      const GraphConnection::Access access(connection_);
      if (settled()) return true;
    }
    if (now() >= deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
}

}  // namespace pypac
