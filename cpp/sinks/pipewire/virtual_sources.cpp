// SPDX-License-Identifier: MIT
#include "sinks/pipewire/virtual_sources.hpp"

#include <spa/param/audio/format-utils.h>
#include <spa/pod/builder.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "core/host_clock.hpp"
#include "core/status.hpp"
#include "pipewire/pipewire_connection.hpp"
#include "sinks/virtual_source_name.hpp"

namespace pypac {
namespace {

using namespace std::chrono_literals;

constexpr HostTime kTick = 100ms;
constexpr HostTime kReconnectLongest = 1s;
constexpr HostTime kRemakeNodeAfter = 250ms;
constexpr HostTime kAppearsWithin = 3s;
// Below every device's: the default microphone stays another one where there is one.
constexpr const char* kPriority = "-100";
constexpr int kVersionWithRequested = 3049;
constexpr std::uint32_t kMaxChannels = 8;

HostTime now() {
  return SystemClock().now();
}

}  // namespace

/// The control half is on the loop's thread or under its lock.
class VirtualSources::Nodes {
 public:
  Nodes(VirtualSourcesOptions options, std::vector<std::string> names,
        std::shared_ptr<Playout> playout);
  ~Nodes() { stop(); }
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;

  std::vector<Status> status();
  void stop() noexcept;

 private:
  struct Node {
    Nodes* nodes = nullptr;
    std::size_t track = 0;
    std::string name;
    std::string description;
    pw_stream* stream = nullptr;
    spa_hook listener{};
    pw_stream_state state = PW_STREAM_STATE_UNCONNECTED;
    bool lost = false;  // refused, or destroyed by somebody else; made again after a while
    HostTime lost_at{};
    std::string error;
    std::atomic<const spa_io_position*> position{nullptr};  // PipeWire's, while the node runs
  };

  struct Callbacks;

  void open();
  void close_connection();
  void make_node(Node& node);
  void destroy_node(Node& node);
  void tick();
  [[nodiscard]] bool all_seen() const;
  void take_cycle(Node& node) noexcept;

  std::mutex lifetime_;  // the control threads'; never taken on the loop's thread
  const VirtualSourcesOptions options_;
  const std::shared_ptr<Playout> playout_;
  const PipewireApi& api_;
  const bool knows_requested_;
  const std::string group_;
  std::vector<std::unique_ptr<Node>> nodes_;
  pw_thread_loop* loop_ = nullptr;
  pw_context* context_ = nullptr;
  pw_core* core_ = nullptr;
  spa_hook core_listener_{};
  spa_source* timer_ = nullptr;
  bool connection_lost_ = false;
  bool stopped_ = false;
  int connect_error_ = 0;
  HostTime try_again_at_{};
  HostTime reconnect_delay_ = kTick;
  std::atomic<std::uint32_t> generation_{0};  // of the connection: clock ids are used again
};

struct VirtualSources::Nodes::Callbacks {
  static void core_error(void* data, std::uint32_t id, int, int result, const char*) {
    auto& nodes = *static_cast<Nodes*>(data);
    if (id != PW_ID_CORE) return;
    nodes.connect_error_ = -result;
    // The next tick closes it: not from within its own callback.
    if (result == -EPIPE) nodes.connection_lost_ = true;
  }

  static void state_changed(void* data, pw_stream_state, pw_stream_state state, const char* error) {
    auto& node = *static_cast<Node*>(data);
    if (!node.stream) return;  // it is just what destroy_node() does
    node.state = state;
    if (state != PW_STREAM_STATE_STREAMING) node.nodes->playout_->rest(node.track);
    if (state == PW_STREAM_STATE_ERROR || state == PW_STREAM_STATE_UNCONNECTED) {
      node.lost = true;
      node.lost_at = now();
      node.error = error ? error : "";
    }
  }

  static void io_changed(void* data, std::uint32_t id, void* area, std::uint32_t size) {
    if (id != SPA_IO_Position) return;
    const bool whole = area && size >= sizeof(spa_io_position);
    static_cast<Node*>(data)->position.store(whole ? static_cast<const spa_io_position*>(area)
                                                   : nullptr);
  }

  static void process(void* data) {
    auto& node = *static_cast<Node*>(data);
    node.nodes->take_cycle(node);
  }

  static void on_tick(void* data, std::uint64_t) { static_cast<Nodes*>(data)->tick(); }

  static pw_core_events core_events() {
    pw_core_events events{};
    events.version = PW_VERSION_CORE_EVENTS;
    events.error = core_error;
    return events;
  }

  static pw_stream_events stream_events() {
    pw_stream_events events{};
    events.version = PW_VERSION_STREAM_EVENTS;
    events.state_changed = state_changed;
    events.io_changed = io_changed;
    events.process = process;
    return events;
  }
};

VirtualSources::Nodes::Nodes(VirtualSourcesOptions options, std::vector<std::string> names,
                             std::shared_ptr<Playout> playout)
    : options_(std::move(options)),
      playout_(std::move(playout)),
      api_(PipewireApi::load()),
      knows_requested_(api_.version_number() >= kVersionWithRequested),
      group_("pypac-obs.sources." + std::to_string(now().count())) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto node = std::make_unique<Node>();
    node->nodes = this;
    node->track = i;
    node->name = virtual_source_name(options_.session, names[i]);
    node->description = "PyPAC-OBS: " + names[i];
    nodes_.push_back(std::move(node));
  }
  loop_ = api_.thread_loop_new("pypac-sources", nullptr);
  if (!loop_) throw pipewire_setup_failure(errno, "loop cannot be made");
  pw_loop* const loop = api_.thread_loop_get_loop(loop_);
  try {
    context_ = new_pipewire_context(api_, loop);
    timer_ = pw_loop_add_timer(loop, Callbacks::on_tick, this);
    open();
    if (!core_) throw pipewire_connection_failure(connect_error_, options_.remote);
    if (const int error = api_.thread_loop_start(loop_); error < 0)
      throw Failure(ErrorKind::backend_unavailable, "PipeWire's thread cannot be started", "",
                    -error);
    const HostTime deadline = now() + kAppearsWithin;
    for (;;) {
      {
        const PipewireLoopLock lock(api_, loop_);
        if (all_seen()) break;
        if (connection_lost_) throw pipewire_connection_failure(connect_error_, options_.remote);
        if (now() > deadline) {
          std::string error;
          for (const auto& node : nodes_)
            if (node->lost && !node->error.empty()) error = " (" + node->error + ")";
          throw Failure(ErrorKind::backend_unavailable, "PipeWire shows no virtual sources" + error,
                        "Restart it with: systemctl --user restart wireplumber pipewire");
        }
      }
      std::this_thread::sleep_for(2ms);
    }
    const PipewireLoopLock lock(api_, loop_);
    timespec every{0, kTick.count()};
    pw_loop_update_timer(loop, timer_, &every, &every, false);
  } catch (...) {
    stop();
    throw;
  }
}

void VirtualSources::Nodes::open() {
  core_ = connect_to_pipewire(api_, context_, options_.remote, connect_error_);
  if (!core_) return;
  connection_lost_ = false;
  static const pw_core_events core_events = Callbacks::core_events();
  pw_core_add_listener(core_, &core_listener_, &core_events, this);
  generation_.fetch_add(1, std::memory_order_relaxed);
  for (const auto& node : nodes_) make_node(*node);
}

void VirtualSources::Nodes::make_node(Node& node) {
  node.lost = false;
  node.error.clear();
  pw_properties* const properties = api_.properties_new(
      PW_KEY_NODE_NAME, node.name.c_str(), PW_KEY_NODE_DESCRIPTION, node.description.c_str(),
      PW_KEY_APP_NAME, "PyPAC-OBS", PW_KEY_MEDIA_CLASS, "Audio/Source", PW_KEY_MEDIA_TYPE, "Audio",
      PW_KEY_NODE_VIRTUAL, "true", PW_KEY_NODE_AUTOCONNECT, "false", PW_KEY_PRIORITY_SESSION,
      kPriority, PW_KEY_PRIORITY_DRIVER, kPriority, PW_KEY_NODE_GROUP, group_.c_str(), kOwnNodeMark,
      "source", "state.restore-props", "false", "state.restore-target", "false", nullptr);
  node.stream = api_.stream_new(core_, node.description.c_str(), properties);
  if (!node.stream) {
    node.lost = true;
    node.lost_at = now();
    node.error = std::strerror(errno);
    return;
  }
  static const pw_stream_events events = Callbacks::stream_events();
  api_.stream_add_listener(node.stream, &node.listener, &events, &node);

  spa_audio_info_raw format{};
  format.format = SPA_AUDIO_FORMAT_F32P;
  format.rate = options_.sample_rate;
  format.channels = playout_->channels(node.track);
  if (format.channels == 1) {
    format.position[0] = SPA_AUDIO_CHANNEL_MONO;
  } else if (format.channels == 2) {
    format.position[0] = SPA_AUDIO_CHANNEL_FL;
    format.position[1] = SPA_AUDIO_CHANNEL_FR;
  } else {
    for (std::uint32_t c = 0; c < format.channels; ++c)
      format.position[c] = SPA_AUDIO_CHANNEL_AUX0 + c;
  }
  std::array<std::byte, 1024> memory;
  spa_pod_builder builder{};
  spa_pod_builder_init(&builder, memory.data(), memory.size());
  const spa_pod* parameters[] = {
      spa_format_audio_raw_build(&builder, SPA_PARAM_EnumFormat, &format)};
  // No PW_STREAM_FLAG_AUTOCONNECT: who wants to record from it links itself.
  const auto flags =
      static_cast<pw_stream_flags>(PW_STREAM_FLAG_MAP_BUFFERS | PW_STREAM_FLAG_RT_PROCESS);
  if (const int error = api_.stream_connect(node.stream, PW_DIRECTION_OUTPUT, PW_ID_ANY, flags,
                                            parameters, std::size(parameters));
      error < 0) {
    node.lost = true;
    node.lost_at = now();
    node.error = std::strerror(-error);
  }
}

void VirtualSources::Nodes::destroy_node(Node& node) {
  // Joins the data thread's work for this node: no process() after this.
  if (node.stream) api_.stream_destroy(std::exchange(node.stream, nullptr));
  node.state = PW_STREAM_STATE_UNCONNECTED;
  node.position.store(nullptr);
  playout_->rest(node.track);
}

void VirtualSources::Nodes::close_connection() {
  for (const auto& node : nodes_) destroy_node(*node);
  if (!core_) return;
  spa_hook_remove(&core_listener_);
  api_.core_disconnect(std::exchange(core_, nullptr));
}

void VirtualSources::Nodes::tick() {
  if (stopped_) return;
  const HostTime time = now();
  if (core_ && connection_lost_) {
    close_connection();
    reconnect_delay_ = kTick;
    try_again_at_ = time + reconnect_delay_;
  }
  if (!core_) {
    if (time < try_again_at_) return;
    open();
    reconnect_delay_ = std::min(2 * reconnect_delay_, kReconnectLongest);
    try_again_at_ = time + reconnect_delay_;
    return;
  }
  for (const auto& node : nodes_) {
    if (!node->lost || time - node->lost_at < kRemakeNodeAfter) continue;
    destroy_node(*node);
    make_node(*node);
  }
}

bool VirtualSources::Nodes::all_seen() const {
  return std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& node) {
    return node->stream && api_.stream_get_node_id(node->stream) != PW_ID_ANY &&
           node->state >= PW_STREAM_STATE_PAUSED;
  });
}

void VirtualSources::Nodes::take_cycle(Node& node) noexcept {
  const spa_io_position* const position = node.position.load();
  // First of all: the driver may write the next cycle's clock while this one is late.
  const spa_io_clock clock = position ? position->clock : spa_io_clock{};
  pw_buffer* const buffer = api_.stream_dequeue_buffer(node.stream);
  if (!buffer) return;
  const std::uint32_t channels = playout_->channels(node.track);
  spa_buffer& block = *buffer->buffer;
  std::uint32_t frames = knows_requested_ ? static_cast<std::uint32_t>(buffer->requested) : 0;
  if (frames == 0) frames = static_cast<std::uint32_t>(clock.duration);
  std::array<float*, kMaxChannels> out{};
  bool whole = block.n_datas >= channels;
  for (std::uint32_t c = 0; whole && c < channels; ++c) {
    out[c] = static_cast<float*>(block.datas[c].data);
    whole = out[c] != nullptr;
    frames = std::min(frames, block.datas[c].maxsize / static_cast<std::uint32_t>(sizeof(float)));
  }
  if (whole) {
    ClockReading reading;
    // PipeWire gives the id of a driver that has gone to the next one.
    reading.clock_id =
        (std::uint64_t{generation_.load(std::memory_order_relaxed)} << 32) | clock.id;
    reading.rate = clock.rate.denom;
    reading.position = static_cast<std::int64_t>(clock.position);
    reading.frames = static_cast<std::uint32_t>(clock.duration);
    reading.host_time = HostTime(static_cast<std::int64_t>(clock.nsec));
    playout_->play(node.track, reading, frames, out.data());
    // The driver starts the next cycle without those who are late, and without who records from
    // them.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (position &&
        *static_cast<const volatile std::uint64_t*>(&position->clock.position) != clock.position)
      playout_->came_late(node.track);
    for (std::uint32_t c = 0; c < channels; ++c) {
      block.datas[c].chunk->offset = 0;
      block.datas[c].chunk->stride = sizeof(float);
      block.datas[c].chunk->size = frames * static_cast<std::uint32_t>(sizeof(float));
    }
  }
  api_.stream_queue_buffer(node.stream, buffer);
}

std::vector<VirtualSources::Status> VirtualSources::Nodes::status() {
  const std::lock_guard alive(lifetime_);
  std::vector<Status> all;
  if (stopped_) {
    for (const auto& node : nodes_)
      all.push_back({node->name, State::lost, playout_->lost_frames(node->track)});
    return all;
  }
  const PipewireLoopLock lock(api_, loop_);
  for (const auto& node : nodes_) {
    State state = State::lost;
    if (core_ && !node->lost && node->state == PW_STREAM_STATE_STREAMING)
      state = State::recording;
    else if (core_ && !node->lost && node->state == PW_STREAM_STATE_PAUSED)
      state = State::idle;
    all.push_back({node->name, state, playout_->lost_frames(node->track)});
  }
  return all;
}

void VirtualSources::Nodes::stop() noexcept {
  const std::lock_guard alive(lifetime_);
  if (stopped_ || !loop_) return;
  api_.thread_loop_lock(loop_);
  stopped_ = true;
  api_.thread_loop_unlock(loop_);
  api_.thread_loop_stop(loop_);
  close_connection();
  if (timer_) pw_loop_destroy_source(api_.thread_loop_get_loop(loop_), timer_);
  if (context_) api_.context_destroy(std::exchange(context_, nullptr));
  api_.thread_loop_destroy(std::exchange(loop_, nullptr));
}

// -- the public face

VirtualSources::VirtualSources(const VirtualSourcesOptions& options, std::vector<std::string> names,
                               std::shared_ptr<Playout> playout) {
  if (names.size() != playout->track_count())
    throw Failure(ErrorKind::invalid_argument, "each virtual source needs one name");
  for (std::size_t i = 0; i < names.size(); ++i)
    if (playout->channels(i) < 1 || playout->channels(i) > kMaxChannels)
      throw Failure(ErrorKind::invalid_argument, "a virtual source has 1 to 8 channels");
  nodes_ = std::make_unique<Nodes>(options, std::move(names), std::move(playout));
}

VirtualSources::~VirtualSources() = default;

std::vector<VirtualSources::Status> VirtualSources::status() {
  return nodes_->status();
}

void VirtualSources::stop() noexcept {
  nodes_->stop();
}

}  // namespace pypac
