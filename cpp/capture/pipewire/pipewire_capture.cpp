// SPDX-License-Identifier: MIT
#include "capture/pipewire/pipewire_capture.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "capture/binding.hpp"
#include "capture/input_channels.hpp"
#include "capture/mixed_source.hpp"
#include "capture/pipewire/capture_slots.hpp"
#include "capture/pipewire/graph_clocks.hpp"
#include "capture/pipewire/graph_view.hpp"
#include "capture/source_names.hpp"
#include "core/decibels.hpp"
#include "core/host_clock.hpp"
#include "core/status.hpp"
#include "os/thread_priority.hpp"
#include "pipewire/pipewire_connection.hpp"

namespace pypac {
namespace {

using namespace std::chrono_literals;

constexpr HostTime kTick = 50ms;
// Process names and parents change without an event.
constexpr HostTime kProcessRefresh = 1s;
// A killed program's process outlives its streams by some milliseconds.
constexpr HostTime kRestlessAfterExit = 500ms;
// Above the latest callbacks on a busy virtual machine (46 ms measured).
constexpr HostTime kStalledAfter = 80ms;
constexpr int kStalledCycles = 3;
constexpr HostTime kDeliversWithin = 300ms;
constexpr HostTime kStartsWithin = 1s;
constexpr HostTime kRestartsWithin = 300ms;
constexpr HostTime kReconnectFirst = 100ms;
constexpr HostTime kReconnectLongest = 1s;
constexpr HostTime kRetryLinkAfter = 250ms;
constexpr HostTime kRemakeNodeAfter = 250ms;
constexpr HostTime kAnswersWithin = 3s;

HostTime now() {
  return SystemClock().now();
}

timespec timespec_of(HostTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return {seconds.count(), (time - seconds).count()};
}

const char* name_of(pw_node_state state) {
  switch (state) {
    case PW_NODE_STATE_RUNNING:
      return "running";
    case PW_NODE_STATE_IDLE:
      return "idle";
    case PW_NODE_STATE_SUSPENDED:
      return "suspended";
    case PW_NODE_STATE_ERROR:
      return "error";
    default:
      return "creating";
  }
}

const char* name_of(StreamKind kind) {
  switch (kind) {
    case StreamKind::playback:
      return "playback";
    case StreamKind::re_emitter:
      return "re_emitter";
    case StreamKind::input:
      return "input";
    case StreamKind::own:
      break;
  }
  return "own";
}

std::string program_of(const StreamIdentity& identity) {
  return identity.lineage.empty() ? identity.binary : program_name(identity.lineage.front());
}

/// The program's name, or else what the stream calls itself.
std::string shown_name(const StreamIdentity& identity) {
  std::string program = program_of(identity);
  if (!program.empty()) return program;
  return identity.application_name.empty() ? identity.node_name : identity.application_name;
}

/// A source as the engine sees it.
class PipewireSource final : public Source {
 public:
  PipewireSource(std::uint32_t channels, const PipewireOptions& options,
                 std::shared_ptr<GraphClocks> clocks)
      : clocks_(std::move(clocks)),
        mixed_(channels, options.capacity_frames, options.timeline_rate) {}

  void start(HostTime origin) override {
    clocks_->set_origin(origin);
    mixed_.start(origin);
  }
  void stop() noexcept override { mixed_.stop(); }
  void gather(Frames begin, std::uint32_t frames, GapSink& gaps) noexcept override {
    mixed_.gather(begin, frames, gaps);
  }
  [[nodiscard]] SourceFeed& feed() noexcept override { return mixed_.feed(); }
  [[nodiscard]] const ClockDomain& clock() noexcept override { return mixed_.clock(); }

  void set_absence(Cause cause, bool restarting = false) noexcept {
    mixed_.set_absence(cause, restarting);
  }
  [[nodiscard]] std::uint64_t packets() const noexcept { return mixed_.packets(); }
  /// nullptr: there are as many as a source can have.
  [[nodiscard]] std::shared_ptr<Tap> add_tap() {
    return mixed_.add_tap(std::shared_ptr<ClockDomain>(clocks_, &clocks_->any_domain()));
  }

 private:
  std::shared_ptr<GraphClocks> clocks_;
  MixedSource mixed_;
};

}  // namespace

/// The control half: connection, registry, bindings, links. Everything on the loop's thread or
/// under its lock.
class PipewireCapture::Session {
 public:
  explicit Session(PipewireOptions options);
  ~Session() { stop(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  std::shared_ptr<Source> add_source(std::string name, Selector selector, std::uint32_t channels);
  bool wait_until_running(std::chrono::milliseconds timeout);
  std::vector<StreamView> streams();
  void remove_source(const std::string& name);
  SourceStatus source_status(const std::string& name);
  std::vector<SourceStatus> preview(const std::vector<Selector>& selectors);
  PipewireServer server_info();
  void stop() noexcept;

 private:
  /// A link that we asked for.
  struct OwnLink {
    Session* session = nullptr;
    pw_proxy* proxy = nullptr;
    spa_hook proxy_listener{};
    bool made = false;
    bool gone = false;  // refused, or taken away; made again after a while
    HostTime since{};
  };
  using LinkKey = std::pair<std::uint32_t, std::uint32_t>;  // output port, our input port

  /// A node of ours in the graph, which depends on the programs that are linked to it and on no
  /// others: one that crashes or freezes in the middle of a cycle costs only its own source.
  struct OwnNode {
    Session* session = nullptr;
    SourceSlot* slot = nullptr;                   // what it feeds; nullptr: it measures
    std::uint32_t meter_node = 0;                 // its number among those that measure
    std::uint32_t clock_id = GraphClocks::kNone;  // capture thread: that it was called by last
    pw_filter* filter = nullptr;
    spa_hook state_listener{};
    spa_hook process_listener{};
    bool lost = false;  // refused, or destroyed by somebody else; made again after a while
    HostTime lost_at{};
  };

  /// A source's node for what one device drives. A node that were linked to the programs of two
  /// devices would have PipeWire drive both with one clock: each change of that is a click on both.
  struct Lane {
    std::uint32_t device = 0;  // by its node; 0: none yet
    std::unique_ptr<OwnNode> node;
    std::shared_ptr<SourceSlot> slot;
  };

  struct SourceControl {
    std::string name;
    std::uint32_t channels = 0;
    std::shared_ptr<PipewireSource> source;
    std::vector<Lane> lanes;  // one at least, but in a preview
    Selector selector;
    Binding binding;
    HostTime bound_since{};
    HostTime playing_since{};  // 0: it does not play
    SourceState state = SourceState::not_running;
  };

  /// As a Lane, of what is measured.
  struct MeterLane {
    std::uint32_t device = 0;
    std::unique_ptr<OwnNode> node;
  };

  /// Which meter port measures which port of a program.
  struct MeterUse {
    std::uint64_t serial = 0;  // 0: free
    std::uint32_t output_port = 0;
    std::uint32_t meter_node = 0;
  };

  struct Callbacks;

  /// Holds the loop's lock, and keeps stop() out. Throws where it has been.
  class Access {
   public:
    explicit Access(Session& session)
        : alive_(session.lifetime_), lock_(session.api_, session.checked_loop()) {}

   private:
    std::lock_guard<std::mutex> alive_;
    PipewireLoopLock lock_;
  };

  [[nodiscard]] pw_thread_loop* checked_loop() const {
    if (stopped_) throw Failure(ErrorKind::not_running, "the capture has been stopped");
    return loop_;
  }

  // Connection.
  void open();
  void close_connection();
  void lose_connection();
  void try_again();
  void arm(spa_source* timer, HostTime first, HostTime every = {});
  void make_nodes();
  void make_node(OwnNode& node);
  [[nodiscard]] std::string graph_name_of(const OwnNode& node) const;
  void destroy_node(OwnNode& node);
  void lose_node(OwnNode& node, const std::string& error);
  void remake_lost_nodes();

  // Bindings.
  void mark_changed();
  void refresh_processes();
  void evaluate();
  void tick();
  [[nodiscard]] std::vector<StreamIdentity> identities() const;
  void want_links_of(SourceControl& source, std::set<LinkKey>& wanted);
  /// The device that drives what a stream or an input gives.
  [[nodiscard]] std::uint32_t device_of(const NodeRecord& node) const;
  /// Gives each device that the source is played to a lane.
  void assign_lanes(SourceControl& source);
  [[nodiscard]] Lane& lane_of(SourceControl& source, const NodeRecord& node) const;
  bool add_lane(SourceControl& source, std::uint32_t device);
  [[nodiscard]] OwnNode& meter_node_for(const NodeRecord& node);
  /// The ports that frames of a node come from, in order.
  [[nodiscard]] std::vector<const PortRecord*> taps_of(const NodeRecord& node) const;
  /// Which inputs of a device a source takes. See taken_inputs().
  [[nodiscard]] static std::vector<std::uint32_t> taken_of(
      const Selector& selector, const std::vector<const PortRecord*>& taps);
  void want_meters(std::set<LinkKey>& wanted);
  void settle_links(const std::set<LinkKey>& wanted);
  [[nodiscard]] SourcePort* port_for(Lane& lane, const ChannelWeights& weights,
                                     std::string_view position);
  [[nodiscard]] void* make_port(const OwnNode& node, const std::string& name,
                                std::string_view position);
  [[nodiscard]] std::uint32_t own_port(const OwnNode& node, const std::string& name) const;
  void make_link(const LinkKey& key);
  void drop_link(OwnLink& link);

  // State.
  void update_states();
  [[nodiscard]] bool plays(const SourceControl& source) const;
  [[nodiscard]] bool restarts(const SourceControl& source) const;
  /// The devices that it is bound to have none of the inputs that it names.
  [[nodiscard]] bool lacks_inputs(const SourceControl& source) const;
  [[nodiscard]] static HostTime delivered_at(const SourceControl& source);
  /// What the graph says of it.
  [[nodiscard]] StateFacts told_facts(const SourceControl& source) const;
  [[nodiscard]] StateFacts state_facts(const SourceControl& source) const;
  [[nodiscard]] ReasonFacts reason_facts(const SourceControl& source) const;
  [[nodiscard]] std::vector<std::string> playing_programs() const;
  [[nodiscard]] std::string silence_of(const NodeRecord& node) const;
  [[nodiscard]] LeftOut left_out(std::uint64_t serial, std::string claim) const;
  [[nodiscard]] SourceStatus status_of(const SourceControl& source, bool previewed) const;
  void look_for_frozen();
  [[nodiscard]] bool any_node_stalled() const;
  [[nodiscard]] bool is_frozen(const NodeRecord& node) const;
  [[nodiscard]] bool settled() const;

  std::mutex lifetime_;  // the control threads'; never taken on the loop's thread
  PipewireOptions options_;
  const PipewireApi& api_;
  const std::shared_ptr<GraphClocks> clocks_;
  CaptureSlots slots_;
  pw_thread_loop* loop_ = nullptr;
  pw_context* context_ = nullptr;
  pw_core* core_ = nullptr;
  spa_hook core_listener_{};
  // The first also where there are no sources: it shows the graph's clock.
  std::vector<MeterLane> meter_lanes_;
  spa_source* changed_event_ = nullptr;
  spa_source* lost_event_ = nullptr;
  spa_source* tick_timer_ = nullptr;
  spa_source* reconnect_timer_ = nullptr;

  bool connected_ = false;  // the core has answered
  bool synced_ = false;     // the registry's first globals and their properties have come
  int sync_round_ = 0;
  int sync_sequence_ = 0;
  bool changed_ = false;  // evaluate() is to come
  bool stopped_ = false;
  bool ports_pending_ = false;  // ports of ours are not in the registry yet
  int connect_error_ = 0;
  std::uint64_t reconnects_ = 0;
  HostTime reconnect_delay_ = kReconnectFirst;
  std::string server_version_;
  std::string node_error_;  // why a node of ours was lost the last time; empty: it was not said

  GraphView graph_;
  ProcessSnapshot snapshot_;
  ProcessTable processes_;
  PinnedProcesses pinned_;  // of all sources
  HostTime refreshed_at_{};
  bool processes_stale_ = false;  // a stream has gone, and its program perhaps with it
  HostTime restless_until_{};
  std::vector<SourceControl> sources_;
  std::map<LinkKey, std::unique_ptr<OwnLink>> links_;
  std::vector<MeterUse> meters_;
  std::set<std::uint64_t> set_aside_;  // streams not linked while they hold the graph up
  std::vector<std::string> frozen_programs_;
};

/// The C callbacks of PipeWire.
struct PipewireCapture::Session::Callbacks {
  static Session& self(void* data) { return *static_cast<Session*>(data); }

  static void core_info(void* data, const pw_core_info* info) {
    if (info->version) self(data).server_version_ = info->version;
  }

  static void core_done(void* data, std::uint32_t id, int sequence) {
    Session& session = self(data);
    if (id != PW_ID_CORE || sequence != session.sync_sequence_) return;
    session.connected_ = true;
    session.reconnect_delay_ = kReconnectFirst;
    // Round one brings the globals, round two the properties of those bound meanwhile.
    if (++session.sync_round_ < 2) {
      session.sync_sequence_ = pw_core_sync(session.core_, PW_ID_CORE, 0);
    } else {
      session.synced_ = true;
      session.mark_changed();
    }
  }

  static void core_error(void* data, std::uint32_t id, int, int result, const char*) {
    Session& session = self(data);
    if (id != PW_ID_CORE) return;
    session.connect_error_ = -result;
    if (result == -EPIPE || !session.connected_) {
      pw_loop_signal_event(session.api_.thread_loop_get_loop(session.loop_), session.lost_event_);
    }
  }

  static void filter_state(void* data, pw_filter_state, pw_filter_state state, const char* error) {
    auto& node = *static_cast<OwnNode*>(data);
    if (!node.filter) return;  // it is just what destroy_node() does
    if (state == PW_FILTER_STATE_ERROR || state == PW_FILTER_STATE_UNCONNECTED) {
      node.session->lose_node(node, error ? error : "");
    }
    node.session->mark_changed();
  }

  static void filter_process(void* data, spa_io_position* position) {
    auto& node = *static_cast<OwnNode*>(data);
    if (position)
      node.session->slots_.process(*position, node.slot, node.meter_node, node.clock_id);
  }

  static void on_changed(void* data, std::uint64_t) { self(data).evaluate(); }
  static void on_lost(void* data, std::uint64_t) { self(data).lose_connection(); }
  static void on_tick(void* data, std::uint64_t) { self(data).tick(); }
  static void on_reconnect(void* data, std::uint64_t) { self(data).try_again(); }

  static void link_bound(void* data, std::uint32_t) {
    auto& link = *static_cast<OwnLink*>(data);
    link.made = true;
  }

  static void link_gone(void* data) {
    auto& link = *static_cast<OwnLink*>(data);
    link.gone = true;
    link.since = now();
    link.session->mark_changed();
  }

  static void link_error(void* data, int, int, const char*) { link_gone(data); }

  static pw_core_events core_events() {
    pw_core_events events{};
    events.version = PW_VERSION_CORE_EVENTS;
    events.info = core_info;
    events.done = core_done;
    events.error = core_error;
    return events;
  }

  static pw_filter_events filter_events() {
    pw_filter_events events{};
    events.version = PW_VERSION_FILTER_EVENTS;
    events.state_changed = filter_state;
    return events;
  }

  static pw_filter_events process_events() {
    pw_filter_events events{};
    events.version = PW_VERSION_FILTER_EVENTS;
    events.process = filter_process;
    return events;
  }

  static pw_proxy_events link_events() {
    pw_proxy_events events{};
    events.version = PW_VERSION_PROXY_EVENTS;
    events.bound = link_bound;
    events.removed = link_gone;
    events.error = link_error;
    return events;
  }
};

PipewireCapture::Session::Session(PipewireOptions options)
    : options_(std::move(options)),
      api_(PipewireApi::load()),
      clocks_(std::make_shared<GraphClocks>(options_.timeline_rate)),
      slots_(api_, clocks_),
      graph_(
          api_, [this] { mark_changed(); },
          [this](const NodeRecord& node) {
            set_aside_.erase(node.serial);
            restless_until_ = now() + kRestlessAfterExit;
            processes_stale_ = true;
            clocks_->renew(node.id);
          }) {
  loop_ = api_.thread_loop_new("pypac-pipewire", nullptr);
  if (!loop_) {
    throw pipewire_setup_failure(errno, "loop cannot be made");
  }
  pw_loop* const loop = api_.thread_loop_get_loop(loop_);
  try {
    context_ = new_pipewire_context(api_, loop);
    changed_event_ = pw_loop_add_event(loop, Callbacks::on_changed, this);
    lost_event_ = pw_loop_add_event(loop, Callbacks::on_lost, this);
    tick_timer_ = pw_loop_add_timer(loop, Callbacks::on_tick, this);
    reconnect_timer_ = pw_loop_add_timer(loop, Callbacks::on_reconnect, this);
    refresh_processes();
    open();
    if (!core_) throw pipewire_connection_failure(connect_error_, options_.remote);
    if (const int error = api_.thread_loop_start(loop_); error < 0) {
      throw Failure(ErrorKind::backend_unavailable, "PipeWire's thread cannot be started", "",
                    -error);
    }
    const HostTime deadline = now() + kAnswersWithin;
    for (;;) {
      {
        const PipewireLoopLock lock(api_, loop_);
        if (synced_) break;
        if (connect_error_ != 0) throw pipewire_connection_failure(connect_error_, options_.remote);
      }
      if (now() > deadline) {
        throw Failure(ErrorKind::backend_unavailable, "PipeWire does not answer",
                      "Restart it with: systemctl --user restart pipewire");
      }
      std::this_thread::sleep_for(1ms);
    }
    const PipewireLoopLock lock(api_, loop_);
    arm(tick_timer_, kTick, kTick);
  } catch (...) {
    stop();
    throw;
  }
}

void PipewireCapture::Session::open() {
  connect_error_ = 0;
  core_ = connect_to_pipewire(api_, context_, options_.remote, connect_error_);
  if (!core_) return;
  static const pw_core_events core_events = Callbacks::core_events();
  pw_core_add_listener(core_, &core_listener_, &core_events, this);
  graph_.connect(core_);
  make_nodes();
  sync_round_ = 0;
  sync_sequence_ = pw_core_sync(core_, PW_ID_CORE, 0);
}

void PipewireCapture::Session::make_nodes() {
  if (meter_lanes_.empty()) meter_lanes_.push_back({0, std::make_unique<OwnNode>(OwnNode{this})});
  if (options_.meter_streams || sources_.empty()) {
    for (MeterLane& lane : meter_lanes_) make_node(*lane.node);
  }
  for (SourceControl& source : sources_) {
    for (Lane& lane : source.lanes) make_node(*lane.node);
  }
}

void PipewireCapture::Session::make_node(OwnNode& node) {
  // No media.class: session managers leave the node alone, so it gets no volume, no resampler and
  // no link that we have not made. No group: it would have one device drive all of our nodes.
  const std::string name = graph_name_of(node);
  pw_properties* const properties = api_.properties_new(
      PW_KEY_NODE_NAME, name.c_str(), PW_KEY_NODE_DESCRIPTION, "PyPAC-OBS capture", PW_KEY_APP_NAME,
      "PyPAC-OBS", PW_KEY_MEDIA_TYPE, "Audio", PW_KEY_MEDIA_CATEGORY, "Capture",
      PW_KEY_NODE_AUTOCONNECT, "false", PW_KEY_NODE_ALWAYS_PROCESS, "true", kOwnNodeMark, "capture",
      nullptr);
  node.filter = api_.filter_new(core_, "PyPAC-OBS", properties);
  if (!node.filter) {
    lose_node(node, std::strerror(errno));
    return;
  }
  static const pw_filter_events state_events = Callbacks::filter_events();
  static const pw_filter_events process_events = Callbacks::process_events();
  api_.filter_add_listener(node.filter, &node.state_listener, &state_events, &node);
  api_.filter_add_listener(node.filter, &node.process_listener, &process_events, &node);
  if (api_.filter_connect(node.filter, PW_FILTER_FLAG_RT_PROCESS, nullptr, 0) < 0) {
    lose_node(node, "PipeWire takes no node of ours");
  }
}

std::string PipewireCapture::Session::graph_name_of(const OwnNode& node) const {
  for (const SourceControl& source : sources_) {
    for (const Lane& lane : source.lanes) {
      if (lane.node.get() == &node) return "pypac-obs." + source.name;
    }
  }
  return "pypac-obs";
}

void PipewireCapture::Session::destroy_node(OwnNode& node) {
  // Joins the data thread's work for this node: no process() after this.
  if (node.filter) api_.filter_destroy(std::exchange(node.filter, nullptr));
  node.lost = false;
}

void PipewireCapture::Session::lose_node(OwnNode& node, const std::string& error) {
  // Where the whole connection is lost, close_connection() comes first, and all nodes are made
  // anew.
  node.lost = true;
  node.lost_at = now();
  node_error_ = error;
}

void PipewireCapture::Session::remake_lost_nodes() {
  if (!synced_) return;
  const auto remake = [&](OwnNode& node) {
    if (!node.lost || now() - node.lost_at < kRemakeNodeAfter) return;
    destroy_node(node);
    if (node.slot) {
      for (SourcePort& port : node.slot->ports) port.handle.store(nullptr);
    } else {
      for (std::size_t i = 0; i < meters_.size(); ++i) {
        if (meters_[i].meter_node == node.meter_node) slots_.meter(i).handle.store(nullptr);
      }
    }
    make_node(node);
    mark_changed();
  };
  for (MeterLane& lane : meter_lanes_) remake(*lane.node);
  for (SourceControl& source : sources_) {
    for (Lane& lane : source.lanes) remake(*lane.node);
  }
}

void PipewireCapture::Session::close_connection() {
  for (auto& [key, link] : links_) drop_link(*link);
  links_.clear();
  meters_.clear();
  slots_.set_meter_count(0);
  for (MeterLane& lane : meter_lanes_) destroy_node(*lane.node);
  for (SourceControl& source : sources_) {
    for (Lane& lane : source.lanes) {
      destroy_node(*lane.node);
      lane.device = 0;  // its id is another one's now
      for (SourcePort& port : lane.slot->ports) port.handle.store(nullptr);
    }
  }
  for (MeterLane& lane : meter_lanes_) lane.device = 0;
  for (std::size_t i = 0; i < kMaxMeterPorts; ++i) slots_.meter(i).handle.store(nullptr);
  clocks_->renew_all();
  graph_.disconnect();
  if (core_) {
    spa_hook_remove(&core_listener_);
    api_.core_disconnect(std::exchange(core_, nullptr));
  }
  connected_ = false;
  synced_ = false;
  ports_pending_ = false;
  set_aside_.clear();
  frozen_programs_.clear();
}

void PipewireCapture::Session::lose_connection() {
  if (stopped_ || !core_) return;
  const bool was_running = synced_;
  close_connection();
  if (!was_running && reconnects_ == 0) return;  // the constructor reports it
  for (SourceControl& source : sources_) {
    source.binding = {};
    source.state = SourceState::backend_lost;
    source.source->set_absence(Cause::backend_lost);
  }
  arm(reconnect_timer_, reconnect_delay_);
}

void PipewireCapture::Session::try_again() {
  if (stopped_ || core_) return;
  open();
  if (core_) {
    ++reconnects_;
    return;
  }
  reconnect_delay_ = std::min(reconnect_delay_ * 2, kReconnectLongest);
  arm(reconnect_timer_, reconnect_delay_);
}

void PipewireCapture::Session::arm(spa_source* timer, HostTime first, HostTime every) {
  timespec value = timespec_of(first);
  timespec interval = timespec_of(every);
  [[maybe_unused]] const int result =
      pw_loop_update_timer(api_.thread_loop_get_loop(loop_), timer, &value, &interval, false);
  assert(result >= 0);  // it fails only for times that are none
}

void PipewireCapture::Session::stop() noexcept {
  const std::lock_guard<std::mutex> alive(lifetime_);
  if (stopped_ || !loop_) return;
  api_.thread_loop_lock(loop_);
  stopped_ = true;
  for (SourceControl& source : sources_) source.source->stop();
  api_.thread_loop_unlock(loop_);
  api_.thread_loop_stop(loop_);
  close_connection();
  pw_loop* const loop = api_.thread_loop_get_loop(loop_);
  for (spa_source* source : {changed_event_, lost_event_, tick_timer_, reconnect_timer_}) {
    if (source) pw_loop_destroy_source(loop, source);
  }
  if (context_) api_.context_destroy(std::exchange(context_, nullptr));
  api_.thread_loop_destroy(std::exchange(loop_, nullptr));
}

std::shared_ptr<Source> PipewireCapture::Session::add_source(std::string name, Selector selector,
                                                             std::uint32_t channels) {
  check_source(name, selector, channels);
  auto source = std::make_shared<PipewireSource>(channels, options_, clocks_);
  const Access access(*this);
  check_room(sources_, name);
  SourceControl control;
  control.name = std::move(name);
  control.channels = channels;
  control.source = source;
  control.selector = std::move(selector);
  control.bound_since = now();
  sources_.push_back(std::move(control));
  add_lane(sources_.back(), 0);
  mark_changed();
  return source;
}

void PipewireCapture::Session::remove_source(const std::string& name) {
  const Access access(*this);
  const auto at = find_source(sources_, name);
  SourceControl removed = std::move(*at);
  sources_.erase(at);
  removed.source->stop();
  removed.source->set_absence(Cause::not_running);
  // Before its nodes: PipeWire gives the numbers of their ports to the next ones.
  evaluate();
  for (Lane& lane : removed.lanes) {
    destroy_node(*lane.node);
    clocks_->leave(lane.node->clock_id);
  }
  OwnNode& first = *meter_lanes_.front().node;
  if (core_ && sources_.empty() && !first.filter && !first.lost) make_node(first);
}

// -- bindings
// ------------------------------------------------------------------------------------------

void PipewireCapture::Session::mark_changed() {
  if (changed_ || stopped_) return;
  changed_ = true;
  // Not at once: events come in bursts, and most of them say half of what is needed.
  pw_loop_signal_event(api_.thread_loop_get_loop(loop_), changed_event_);
}

void PipewireCapture::Session::refresh_processes() {
  snapshot_.refresh();
  processes_.update(snapshot_.processes());
  refreshed_at_ = now();
  processes_stale_ = false;
}

std::vector<StreamIdentity> PipewireCapture::Session::identities() const {
  std::vector<StreamIdentity> streams;
  for (const auto& [id, node] : graph_.nodes()) {
    if (!node->identity) continue;
    streams.push_back(*node->identity);
    streams.back().is_default =
        node->is_input() && node->identity->node_name == graph_.default_source();
  }
  return streams;
}

void PipewireCapture::Session::evaluate() {
  changed_ = false;
  if (stopped_ || !synced_) return;
  if (processes_stale_) refresh_processes();
  graph_.identify(processes_);
  std::vector<Selector> selectors;
  selectors.reserve(sources_.size());
  for (const SourceControl& source : sources_) selectors.push_back(source.selector);
  pinned_.pin(selectors, processes_);
  const std::vector<StreamIdentity> streams = identities();
  std::vector<Binding> bindings = bind_sources(selectors, streams, processes_, pinned_);

  ports_pending_ = false;
  std::set<LinkKey> wanted;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].binding.serials != bindings[i].serials) sources_[i].bound_since = now();
    sources_[i].binding = std::move(bindings[i]);
    want_links_of(sources_[i], wanted);
  }
  if (options_.meter_streams) want_meters(wanted);
  settle_links(wanted);
  update_states();
}

bool PipewireCapture::Session::add_lane(SourceControl& source, std::uint32_t device) {
  std::shared_ptr<Tap> tap = source.source->add_tap();
  if (!tap) return false;
  auto slot = std::make_shared<SourceSlot>(std::move(tap));
  auto node = std::make_unique<OwnNode>(OwnNode{this, slot.get()});
  source.lanes.push_back({device, std::move(node), std::move(slot)});
  if (core_) make_node(*source.lanes.back().node);
  return true;
}

std::uint32_t PipewireCapture::Session::device_of(const NodeRecord& node) const {
  if (node.is_input()) return node.id;
  const std::vector<std::uint32_t> sinks = graph_.sinks_of(node.id);
  if (!sinks.empty()) return sinks.front();
  // It will most likely play to the default one.
  for (const auto& [id, other] : graph_.nodes()) {
    if (other->property("node.name") == graph_.default_sink()) return id;
  }
  return 0;
}

void PipewireCapture::Session::assign_lanes(SourceControl& source) {
  std::set<std::uint32_t> missing;
  for (const std::uint64_t serial : source.binding.serials) {
    if (const NodeRecord* const node = graph_.node_by_serial(serial))
      missing.insert(device_of(*node));
  }
  std::vector<Lane*> idle;
  for (Lane& lane : source.lanes) {
    if (missing.erase(lane.device) == 0) idle.push_back(&lane);
  }
  for (const std::uint32_t device : missing) {
    if (!idle.empty()) {
      idle.back()->device = device;
      idle.pop_back();
    } else if (!add_lane(source, device)) {
      return;  // the first one takes the rest
    }
  }
}

PipewireCapture::Session::Lane& PipewireCapture::Session::lane_of(SourceControl& source,
                                                                  const NodeRecord& node) const {
  const auto lane = std::ranges::find(source.lanes, device_of(node), &Lane::device);
  return lane == source.lanes.end() ? source.lanes.front() : *lane;
}

void PipewireCapture::Session::want_links_of(SourceControl& source, std::set<LinkKey>& wanted) {
  assign_lanes(source);
  for (const std::uint64_t serial : source.binding.serials) {
    const NodeRecord* const node = graph_.node_by_serial(serial);
    if (!node || set_aside_.contains(serial)) continue;
    const std::vector<const PortRecord*> taps = taps_of(*node);
    const std::vector<std::uint32_t> taken = taken_of(source.selector, taps);
    const std::uint32_t channels = source.channels;
    Lane& lane = lane_of(source, *node);
    for (std::size_t i = 0; i < taps.size(); ++i) {
      const PortRecord& port = *taps[i];
      const std::uint32_t port_id = port.id;
      ChannelWeights weights{};
      if (taken.empty()) weights = channel_weights(port.position, channels);
      for (std::size_t place = 0; place < taken.size(); ++place) {
        if (taken[place] != i + 1) continue;
        const ChannelWeights here = input_weights(place, taken.size(), channels);
        std::ranges::transform(weights, here, weights.begin(), std::plus<>());
      }
      if (std::ranges::all_of(weights, [](float weight) { return weight == 0.0F; })) continue;
      const SourcePort* const input = port_for(lane, weights, port.position);
      if (!input) continue;
      const std::uint32_t input_id = own_port(*lane.node, input->name);
      if (input_id == PW_ID_ANY) {
        ports_pending_ = true;  // its registry event leads here again
      } else {
        wanted.emplace(port_id, input_id);
      }
    }
  }
}

std::vector<const PortRecord*> PipewireCapture::Session::taps_of(const NodeRecord& node) const {
  std::vector<const PortRecord*> taps;
  for (const auto& [id, port] : graph_.ports()) {
    if (GraphView::is_tap(node, port)) taps.push_back(&port);
  }
  std::ranges::stable_sort(taps, {}, &PortRecord::index);
  return taps;
}

std::vector<std::uint32_t> PipewireCapture::Session::taken_of(
    const Selector& selector, const std::vector<const PortRecord*>& taps) {
  if (selector.kind != SelectorKind::device) return {};
  std::vector<std::string> positions;
  positions.reserve(taps.size());
  for (const PortRecord* const tap : taps) positions.push_back(tap->position);
  return taken_inputs(selector.channels, positions);
}

void PipewireCapture::Session::want_meters(std::set<LinkKey>& wanted) {
  // Ports are handed on when their program has gone, never removed: no work for the data thread.
  for (MeterUse& use : meters_) {
    const auto port = graph_.ports().find(use.output_port);
    if (use.serial != 0 && (!graph_.node_by_serial(use.serial) || port == graph_.ports().end())) {
      use = {};
    }
  }
  for (const auto& [port_id, port] : graph_.ports()) {
    const NodeRecord* const node = graph_.node(port.node_id);
    if (!node || !node->identity || set_aside_.contains(node->serial)) continue;
    if (!GraphView::is_tap(*node, port)) continue;
    // Not inputs: a link would switch the user's microphone on.
    if (node->identity->kind != StreamKind::playback &&
        node->identity->kind != StreamKind::re_emitter) {
      continue;
    }
    OwnNode& own = meter_node_for(*node);
    auto use = std::ranges::find_if(meters_, [&, id = port_id](const MeterUse& one) {
      return one.serial == node->serial && one.output_port == id;
    });
    if (use != meters_.end() && use->meter_node != own.meter_node) {
      *use = MeterUse{.meter_node = use->meter_node};  // it plays to another device now
      use = meters_.end();
    }
    if (use == meters_.end()) {
      use = std::ranges::find_if(meters_, [&](const MeterUse& one) {
        return one.serial == 0 && one.meter_node == own.meter_node;
      });
    }
    if (use == meters_.end()) {
      if (meters_.size() == kMaxMeterPorts) continue;
      meters_.emplace_back();
      use = meters_.end() - 1;
    }
    *use = MeterUse{node->serial, port_id, own.meter_node};
    const auto index = static_cast<std::size_t>(use - meters_.begin());
    const std::string name = "meter_" + std::to_string(index);
    MeterPort& meter = slots_.meter(index);
    if (!meter.handle.load()) {
      meter.node.store(own.meter_node);
      meter.handle.store(make_port(own, name, "MONO"), std::memory_order_release);
      slots_.set_meter_count(meters_.size());
    }
    const std::uint32_t input_id = own_port(own, name);
    if (input_id != PW_ID_ANY) wanted.emplace(port_id, input_id);
  }
}

PipewireCapture::Session::OwnNode& PipewireCapture::Session::meter_node_for(
    const NodeRecord& node) {
  const std::uint32_t device = device_of(node);
  auto lane = std::ranges::find(meter_lanes_, device, &MeterLane::device);
  if (lane == meter_lanes_.end())
    lane = std::ranges::find(meter_lanes_, std::uint32_t{0}, &MeterLane::device);
  if (lane == meter_lanes_.end()) {
    auto own = std::make_unique<OwnNode>(OwnNode{this});
    own->meter_node = static_cast<std::uint32_t>(meter_lanes_.size());
    meter_lanes_.push_back({device, std::move(own)});
    make_node(*meter_lanes_.back().node);
    return *meter_lanes_.back().node;
  }
  lane->device = device;
  return *lane->node;
}

SourcePort* PipewireCapture::Session::port_for(Lane& lane, const ChannelWeights& weights,
                                               std::string_view position) {
  SourceSlot& slot = *lane.slot;
  const std::uint32_t count = slot.port_count.load(std::memory_order_relaxed);
  std::uint32_t at = 0;
  while (at < count && slot.ports[at].weights != weights) ++at;
  if (at == kMaxPortsOfSource) return nullptr;
  SourcePort& port = slot.ports[at];
  if (at == count) {
    port.weights = weights;
    port.name = "input_" + std::string(position);
  }
  if (!port.handle.load()) {
    port.handle.store(make_port(*lane.node, port.name, position), std::memory_order_release);
  }
  if (at == count) slot.port_count.store(count + 1, std::memory_order_release);
  return &port;
}

void* PipewireCapture::Session::make_port(const OwnNode& node, const std::string& name,
                                          std::string_view position) {
  if (!node.filter) return nullptr;
  pw_properties* const properties = api_.properties_new(
      PW_KEY_FORMAT_DSP, "32 bit float mono audio", PW_KEY_PORT_NAME, name.c_str(),
      PW_KEY_AUDIO_CHANNEL, std::string(position).c_str(), nullptr);
  return api_.filter_add_port(node.filter, PW_DIRECTION_INPUT, PW_FILTER_PORT_FLAG_MAP_BUFFERS,
                              sizeof(std::uint64_t), properties, nullptr, 0);
}

std::uint32_t PipewireCapture::Session::own_port(const OwnNode& node,
                                                 const std::string& name) const {
  const std::uint32_t node_id = node.filter ? api_.filter_get_node_id(node.filter) : PW_ID_ANY;
  if (node_id == PW_ID_ANY) return PW_ID_ANY;
  for (const auto& [id, port] : graph_.ports()) {
    if (port.node_id == node_id && port.name == name) return id;
  }
  return PW_ID_ANY;
}

void PipewireCapture::Session::settle_links(const std::set<LinkKey>& wanted) {
  for (auto at = links_.begin(); at != links_.end();) {
    OwnLink& link = *at->second;
    const bool retry = link.gone && now() - link.since > kRetryLinkAfter;
    if (wanted.contains(at->first) && !retry) {
      ++at;
      continue;
    }
    drop_link(link);
    at = links_.erase(at);
  }
  for (const LinkKey& key : wanted) {
    if (!links_.contains(key)) make_link(key);
  }
}

void PipewireCapture::Session::make_link(const LinkKey& key) {
  const auto output = graph_.ports().find(key.first);
  const auto input = graph_.ports().find(key.second);
  if (output == graph_.ports().end() || input == graph_.ports().end()) return;
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
  auto link = std::make_unique<OwnLink>();
  link->session = this;
  link->since = now();
  link->proxy = static_cast<pw_proxy*>(pw_core_create_object(
      core_, "link-factory", PW_TYPE_INTERFACE_Link, PW_VERSION_LINK, &properties, 0));
  if (!link->proxy) return;
  static const pw_proxy_events link_events = Callbacks::link_events();
  api_.proxy_add_listener(link->proxy, &link->proxy_listener, &link_events, link.get());
  links_.emplace(key, std::move(link));
}

void PipewireCapture::Session::drop_link(OwnLink& link) {
  if (!link.proxy) return;
  spa_hook_remove(&link.proxy_listener);
  api_.proxy_destroy(std::exchange(link.proxy, nullptr));
}

void PipewireCapture::Session::tick() {
  if (stopped_) return;
  const HostTime time = now();
  // A program that is thawed should be seen to be so without delay.
  const bool any_frozen = std::ranges::any_of(
      sources_, [](const SourceControl& source) { return source.state == SourceState::frozen; });
  if (any_frozen) restless_until_ = std::max(restless_until_, time + kTick);
  if (time - refreshed_at_ >= kProcessRefresh || time < restless_until_) {
    refresh_processes();
    graph_.refresh_lineages(processes_);
    mark_changed();
  }
  remake_lost_nodes();
  look_for_frozen();
  if (std::ranges::any_of(links_, [](const auto& link) { return link.second->gone; }))
    mark_changed();
  update_states();
}

// -- states
// --------------------------------------------------------------------------------------------

bool PipewireCapture::Session::any_node_stalled() const {
  if (!synced_ || clocks_->rate() == 0) return false;
  const HostTime cycle = HostTime(1s) * clocks_->quantum() / clocks_->rate();
  const HostTime oldest = now() - std::max(kStalledAfter, kStalledCycles * cycle);
  const auto stalled = [&](std::int64_t last) { return last != 0 && HostTime(last) < oldest; };
  return stalled(slots_.last_cycle_ns()) ||
         std::ranges::any_of(sources_, [&](const SourceControl& source) {
           return std::ranges::any_of(source.lanes, [&](const Lane& lane) {
             return stalled(lane.slot->last_cycle_ns.load(std::memory_order_acquire));
           });
         });
}

bool PipewireCapture::Session::is_frozen(const NodeRecord& node) const {
  // A frozen Pulse program does not hold the graph up: its server plays silence in its place.
  return set_aside_.contains(node.serial) || (node.identity && !node.identity->lineage.empty() &&
                                              node.identity->lineage.front().stopped);
}

void PipewireCapture::Session::look_for_frozen() {
  const auto frozen = [](const NodeRecord& node) {
    if (!node.identity || node.identity->pid == 0) return false;
    const auto process = read_process(node.identity->pid);
    return process && process->stopped;
  };
  if (any_node_stalled()) {
    frozen_programs_.clear();
    for (const auto& [id, node] : graph_.nodes()) {
      if (!node->is_stream() || !frozen(*node)) continue;
      frozen_programs_.push_back(program_of(*node->identity));
      if (set_aside_.insert(node->serial).second) mark_changed();
    }
  } else if (!set_aside_.empty()) {
    const std::size_t before = set_aside_.size();
    std::erase_if(set_aside_, [&](std::uint64_t serial) {
      const NodeRecord* const node = graph_.node_by_serial(serial);
      return !node || !frozen(*node);
    });
    if (set_aside_.size() != before) mark_changed();
    if (set_aside_.empty()) frozen_programs_.clear();
  }
}

bool PipewireCapture::Session::restarts(const SourceControl& source) const {
  return std::ranges::any_of(source.binding.serials, [&](std::uint64_t serial) {
    const NodeRecord* const node = graph_.node_by_serial(serial);
    return node && now() - node->state_since < kRestartsWithin;
  });
}

bool PipewireCapture::Session::plays(const SourceControl& source) const {
  return std::ranges::any_of(source.binding.serials, [&](std::uint64_t serial) {
    const NodeRecord* const node = graph_.node_by_serial(serial);
    return node && node->playing() && !is_frozen(*node);
  });
}

HostTime PipewireCapture::Session::delivered_at(const SourceControl& source) {
  HostTime newest{};
  for (const Lane& lane : source.lanes) {
    newest =
        std::max(newest, HostTime(lane.slot->last_delivery_ns.load(std::memory_order_relaxed)));
  }
  return newest;
}

StateFacts PipewireCapture::Session::told_facts(const SourceControl& source) const {
  StateFacts facts;
  facts.presence = source.binding.presence;
  facts.has_stream = !lacks_inputs(source);
  for (const std::uint64_t serial : source.binding.serials) {
    const NodeRecord* const node = graph_.node_by_serial(serial);
    if (!node || !node->playing()) continue;
    facts.playing = true;
    facts.audible = facts.audible || (!node->muted && node->amplitude > 0);
  }
  return facts;
}

StateFacts PipewireCapture::Session::state_facts(const SourceControl& source) const {
  StateFacts facts = told_facts(source);
  facts.backend_lost = !synced_;
  facts.playing = source.playing_since != HostTime{};
  facts.audible = false;
  bool any_thawed = false;
  for (const std::uint64_t serial : source.binding.serials) {
    const NodeRecord* const node = graph_.node_by_serial(serial);
    if (!node) continue;
    if (is_frozen(*node)) {
      facts.frozen = true;
      continue;
    }
    any_thawed = true;
    facts.audible = facts.audible || (node->playing() && !node->muted && node->amplitude > 0);
  }
  facts.frozen = facts.frozen && !any_thawed;
  facts.open = true;  // PipeWire links one stream as well as another
  facts.frames_of_muted = true;
  const HostTime time = now();
  const HostTime delivered = delivered_at(source);
  facts.delivers = delivered >= source.bound_since && time - delivered < kDeliversWithin;
  // It may just have been bound, or have gone on after a pause.
  facts.fresh = time - std::max(source.bound_since, source.playing_since) < kStartsWithin;
  return facts;
}

bool PipewireCapture::Session::lacks_inputs(const SourceControl& source) const {
  if (source.selector.channels.empty()) return false;
  std::size_t most = 0;
  for (const std::uint64_t serial : source.binding.serials) {
    const NodeRecord* const node = graph_.node_by_serial(serial);
    if (node) most = std::max(most, taps_of(*node).size());
  }
  return most > 0 && std::ranges::min(source.selector.channels) > most;
}

void PipewireCapture::Session::update_states() {
  for (SourceControl& source : sources_) {
    if (!plays(source))
      source.playing_since = {};
    else if (source.playing_since == HostTime{})
      source.playing_since = now();
    source.state = source_state(state_facts(source));
    source.source->set_absence(absence_cause(source.state), restarts(source));
  }
}

ReasonFacts PipewireCapture::Session::reason_facts(const SourceControl& source) const {
  ReasonFacts facts;
  facts.device = source.selector.kind == SelectorKind::device;
  facts.program_runs = !source.binding.pids.empty();
  facts.lacks_inputs = lacks_inputs(source);
  facts.capture_removed =
      std::ranges::any_of(source.lanes, [](const Lane& lane) { return lane.node->lost; });
  if (facts.capture_removed) facts.refusal = node_error_;
  if (!frozen_programs_.empty()) facts.frozen_program = frozen_programs_.front();
  if (source.state == SourceState::no_stream) facts.playing = playing_programs();
  for (const auto& [id, node] : graph_.nodes()) {
    if (!facts.device || !node->identity || node->identity->kind != StreamKind::input) continue;
    const StreamIdentity& input = *node->identity;
    facts.inputs.push_back(input.description.empty() ? input.node_name : input.description);
  }
  return facts;
}

std::vector<std::string> PipewireCapture::Session::playing_programs() const {
  std::vector<std::string> programs;
  for (const auto& [id, node] : graph_.nodes()) {
    if (node->playing() && node->identity && node->identity->kind == StreamKind::playback)
      programs.push_back(shown_name(*node->identity));
  }
  return programs;
}

std::string PipewireCapture::Session::silence_of(const NodeRecord& node) const {
  if (is_frozen(node)) return state_reason(SourceState::frozen, {});
  if (!node.playing()) return state_reason(SourceState::paused, {});
  return node.muted || node.amplitude <= 0 ? state_reason(SourceState::muted, {}) : "";
}

SourceStatus PipewireCapture::Session::status_of(const SourceControl& source,
                                                 bool previewed) const {
  SourceStatus status;
  status.state = source.state;
  ReasonFacts facts = reason_facts(source);
  facts.previewed = previewed;
  status.reason = state_reason(source.state, facts);
  status.pids = source.binding.pids;
  for (const std::uint64_t serial : source.binding.serials) {
    const NodeRecord* const node = graph_.node_by_serial(serial);
    if (!node || !node->identity) continue;
    BoundStream stream;
    stream.serial = serial;
    stream.node_id = node->id;
    stream.pid = node->identity->pid;
    stream.program = node->is_input() ? node->identity->description : program_of(*node->identity);
    stream.application_name = node->identity->application_name;
    stream.state = name_of(node->state);
    stream.muted = node->muted;
    stream.frozen = is_frozen(*node);
    if (const auto tie = source.binding.ties.find(serial); tie != source.binding.ties.end()) {
      stream.claim = tie->second.claim;
      stream.ancestor = tie->second.ancestor;
    }
    if (node->is_input()) {
      const std::vector<const PortRecord*> taps = taps_of(*node);
      stream.inputs = static_cast<std::uint32_t>(taps.size());
      stream.taken = taken_of(source.selector, taps);
    }
    status.streams.push_back(std::move(stream));
  }
  for (const auto& [serial, claim] : source.binding.left_out_by_claim)
    status.left_out.push_back(left_out(serial, claim));
  for (const std::uint64_t serial : source.binding.unknown)
    status.left_out.push_back(left_out(serial, {}));
  return status;
}

LeftOut PipewireCapture::Session::left_out(std::uint64_t serial, std::string claim) const {
  const NodeRecord* const node = graph_.node_by_serial(serial);
  if (!node || !node->identity) return {0, {}, std::move(claim)};
  return {node->identity->pid, shown_name(*node->identity), std::move(claim)};
}

SourceStatus PipewireCapture::Session::source_status(const std::string& name) {
  const Access access(*this);
  const SourceControl& source = *find_source(sources_, name);
  SourceStatus status = status_of(source, false);
  status.name = source.name;
  status.packets = source.source->packets();
  return status;
}

std::vector<SourceStatus> PipewireCapture::Session::preview(
    const std::vector<Selector>& selectors) {
  const Access access(*this);
  refresh_processes();
  graph_.identify(processes_);
  PinnedProcesses pinned = pinned_;
  pinned.pin(selectors, processes_);
  std::vector<Binding> bindings = bind_sources(selectors, identities(), processes_, pinned);
  std::vector<SourceStatus> found;
  for (std::size_t i = 0; i < selectors.size(); ++i) {
    SourceControl source;
    source.selector = selectors[i];
    source.binding = std::move(bindings[i]);
    source.state = told_state(told_facts(source));
    found.push_back(status_of(source, true));
  }
  return found;
}

std::vector<StreamView> PipewireCapture::Session::streams() {
  const Access access(*this);
  std::vector<StreamView> views;
  for (const auto& [id, node] : graph_.nodes()) {
    if (!node->identity) continue;
    const StreamIdentity& identity = *node->identity;
    StreamView view;
    view.serial = node->serial;
    view.node_id = id;
    view.pid = identity.pid;
    view.program = program_of(identity);
    view.application_name = identity.application_name;
    view.portal_app_id = identity.portal_app_id;
    view.media_name = node->property("media.name");
    view.node_name = identity.node_name;
    view.description = identity.description;
    view.kind = name_of(identity.kind);
    view.state = name_of(node->state);
    view.playing = node->playing();
    view.muted = node->muted;
    if (!node->is_input()) view.silence = silence_of(*node);
    // PulseAudio's and the desktops' sliders are the cube root of the amplitude.
    view.volume = std::cbrt(node->amplitude);
    view.volume_db = db_from_linear(node->amplitude);
    view.sample_rate = node->sample_rate;
    view.channels = node->channels;
    for (const std::uint32_t sink : graph_.sinks_of(id)) {
      if (!view.sink.empty()) view.sink += ", ";
      view.sink += graph_.node(sink)->property("node.name");
    }
    if (view.channels == 0) {
      view.channels = static_cast<std::uint32_t>(std::ranges::count_if(
          graph_.ports(),
          [&record = *node](const auto& port) { return GraphView::is_tap(record, port.second); }));
    }
    view.peak_db = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t m = 0; m < meters_.size(); ++m) {
      if (meters_[m].serial != node->serial) continue;
      MeterPort& meter = slots_.meter(m);
      if (!meter.heard.exchange(false)) continue;
      const double peak = db_from_linear(meter.peak.exchange(0));
      view.peak_db = std::isnan(view.peak_db) ? peak : std::max(view.peak_db, peak);
    }
    views.push_back(std::move(view));
  }
  std::ranges::sort(views, {}, &StreamView::serial);
  return views;
}

PipewireServer PipewireCapture::Session::server_info() {
  const Access access(*this);
  PipewireServer info;
  info.connected = connected_;
  info.library_version = api_.get_library_version();
  info.server_version = server_version_;
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
  info.reconnects = reconnects_;
  if (const std::int64_t thread = slots_.thread_id(); thread != 0) {
    const ThreadPriority priority = thread_priority(thread);
    info.realtime = priority.realtime;
    info.realtime_priority = priority.priority;
    info.realtime_refusal = priority.refusal;
  } else {
    info.realtime_refusal = "the capture thread has not run yet";
  }
  info.frozen_programs = frozen_programs_;
  return info;
}

bool PipewireCapture::Session::settled() const {
  if (!synced_ || changed_ || ports_pending_ || clocks_->cycles() == 0) return false;
  HostTime newest{};
  for (const auto& [key, link] : links_) {
    if (link->gone) continue;
    if (!link->made) return false;
    newest = std::max(newest, link->since);
  }
  if (HostTime(slots_.last_cycle_ns()) <= newest) return false;
  return std::ranges::none_of(sources_, [&](const SourceControl& source) {
    const HostTime delivered = delivered_at(source);
    const bool playing = std::ranges::any_of(source.binding.serials, [&](std::uint64_t serial) {
      const NodeRecord* const node = graph_.node_by_serial(serial);
      return node && node->playing() && !set_aside_.contains(serial);
    });
    return playing && delivered < source.bound_since;
  });
}

bool PipewireCapture::Session::wait_until_running(std::chrono::milliseconds timeout) {
  const HostTime deadline = now() + timeout;
  for (;;) {
    {
      const Access access(*this);
      if (settled()) return true;
    }
    if (now() >= deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
}

// -- the public face
// -----------------------------------------------------------------------------------

PipewireAvailability PipewireCapture::probe() {
  try {
    return {true, PipewireApi::load().get_library_version(), ""};
  } catch (const Failure& failure) {
    return {false, "", failure.what()};
  }
}

PipewireCapture::PipewireCapture(PipewireOptions options)
    : session_(std::make_unique<Session>(std::move(options))) {}
PipewireCapture::~PipewireCapture() = default;

std::shared_ptr<Source> PipewireCapture::add_source(std::string name, Selector selector,
                                                    std::uint32_t channels) {
  return session_->add_source(std::move(name), std::move(selector), channels);
}
bool PipewireCapture::wait_until_running(std::chrono::milliseconds timeout) {
  return session_->wait_until_running(timeout);
}
std::vector<StreamView> PipewireCapture::streams() {
  return session_->streams();
}
void PipewireCapture::remove_source(const std::string& name) {
  session_->remove_source(name);
}
SourceStatus PipewireCapture::source_status(const std::string& name) {
  return session_->source_status(name);
}
PipewireServer PipewireCapture::server_info() {
  return session_->server_info();
}
std::vector<SourceStatus> PipewireCapture::preview(const std::vector<Selector>& selectors) {
  return session_->preview(selectors);
}
void PipewireCapture::stop() noexcept {
  session_->stop();
}

}  // namespace pypac
