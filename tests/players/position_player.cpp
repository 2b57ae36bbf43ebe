// SPDX-License-Identifier: MIT
// Plays the position of the audio graph: each sample is the number of its own frame. Whoever
// captures it can read from any sample where it belongs, so that alignment is decoded and not
// estimated.
//
//   position_player [--name NAME] [--target SINK | --target none] [--channels N] [--delay SECONDS]
//                   [--tone HZ] [--impulses PERIOD_NS]
//
// Sample = (position mod 2^24) / 2^24, exact in 32-bit float; odd channels carry it negated. With
// --tone it is a sine of -12 dBFS in all channels instead, whose phase is the position's. With
// --impulses it is silence, with one full sample in the frame whose host time is nearest to each
// multiple of the period, by the time and the rate that the graph gives for its cycle. Writes
// "first HOST_TIME_NS" (CLOCK_MONOTONIC, the start of its first cycle) to standard output when it
// begins, and "missed HOST_TIME_NS FRAMES" whenever the graph has gone on without it: the end of
// what it could not play, and its length. SIGINT and SIGTERM end it.
#include <pipewire/filter.h>
#include <pipewire/pipewire.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numbers>
#include <string>
#include <vector>

namespace {

constexpr std::uint32_t kMaxChannels = 8;
constexpr double kPositions = 16777216;               // 2^24: what a float counts without a gap
constexpr double kToneAmplitude = 0.251188643150958;  // -12 dBFS
constexpr float kImpulse = 0.9F;

struct Options {
  std::string name = "position-player";
  std::string target;  // empty: any sink; "none": no link
  std::uint32_t channels = 2;
  double delay_s = 0;
  double tone_hz = 0;                  // 0: positions
  std::int64_t impulse_period_ns = 0;  // 0: none
};

const char* position_name(std::uint32_t channels, std::uint32_t index) {
  static constexpr std::array<const char*, kMaxChannels> kNames{"FL", "FR", "FC", "LFE",
                                                                "RL", "RR", "SL", "SR"};
  return channels == 1 ? "MONO" : kNames[index];
}

struct SinkPort {
  std::uint32_t node = 0;
  std::string position;
};

class Player {
 public:
  explicit Player(Options options) : options_(std::move(options)) {}

  int run();

 private:
  static Player& self(void* data) { return *static_cast<Player*>(data); }
  static void on_process(void* data, spa_io_position* position) { self(data).process(*position); }
  static void on_global(void* data, std::uint32_t id, std::uint32_t, const char* type,
                        std::uint32_t, const spa_dict* properties) {
    if (properties) self(data).add(id, type, *properties);
  }
  static void on_end(void* data, int) { pw_main_loop_quit(self(data).loop_); }
  static void on_timer(void* data, std::uint64_t) { self(data).begin(); }
  static void on_poll(void* data, std::uint64_t) { self(data).report(); }

  void begin();
  void add(std::uint32_t id, const std::string& type, const spa_dict& properties);
  void link();
  void report();
  void process(const spa_io_position& position);
  /// Where in the cycle an impulse belongs; -1: nowhere.
  std::int64_t impulse_in(const spa_io_position& position) const;

  Options options_;
  pw_main_loop* loop_ = nullptr;
  pw_core* core_ = nullptr;
  pw_filter* filter_ = nullptr;
  spa_hook filter_listener_{};
  spa_hook registry_listener_{};
  std::vector<void*> ports_;
  bool reported_ = false;
  std::atomic<std::int64_t> first_ns_{0};

  struct Missed {
    std::int64_t end_ns = 0;
    std::uint64_t frames = 0;
  };
  std::array<Missed, 1024> missed_{};         // the data thread's, up to missed_count_
  std::atomic<std::size_t> missed_count_{0};  // the data thread's
  std::size_t missed_reported_ = 0;
  std::uint64_t expected_ = 0;  // the data thread's
  std::uint32_t rate_ = 0;      // the data thread's

  std::map<std::uint32_t, std::string> sinks_;
  std::map<std::uint32_t, SinkPort> sink_ports_;
  std::map<std::uint32_t, std::string> own_ports_;
  std::map<std::uint32_t, pw_proxy*> links_;  // by our port
};

void Player::process(const spa_io_position& position) {
  const std::uint64_t first = position.clock.position;
  const auto frames = static_cast<std::uint32_t>(position.clock.duration);
  const std::size_t missed = missed_count_.load();
  if (rate_ == position.clock.rate.denom && first > expected_ && missed < missed_.size()) {
    missed_[missed] = {static_cast<std::int64_t>(position.clock.nsec), first - expected_};
    missed_count_.store(missed + 1);
  }
  expected_ = first + frames;
  rate_ = position.clock.rate.denom;
  for (std::size_t c = 0; c < ports_.size(); ++c) {
    auto* const out = static_cast<float*>(pw_filter_get_dsp_buffer(ports_[c], frames));
    if (!out) continue;
    const double scale = (c % 2 == 0 ? 1 : -1) / kPositions;
    if (options_.tone_hz > 0) {
      const double rate = position.clock.rate.denom;
      for (std::uint32_t i = 0; i < frames; ++i) {
        const double cycles = options_.tone_hz * static_cast<double>(first + i) / rate;
        out[i] = static_cast<float>(kToneAmplitude * std::sin(2 * std::numbers::pi * cycles));
      }
    } else if (options_.impulse_period_ns > 0) {
      std::fill_n(out, frames, 0.0F);
      const std::int64_t place = impulse_in(position);
      if (place >= 0) out[place] = kImpulse;
    } else {
      for (std::uint32_t i = 0; i < frames; ++i) {
        out[i] = static_cast<float>(static_cast<double>((first + i) & 0xffffff) * scale);
      }
    }
    std::int64_t none = 0;
    first_ns_.compare_exchange_strong(none, static_cast<std::int64_t>(position.clock.nsec));
  }
}

std::int64_t Player::impulse_in(const spa_io_position& position) const {
  const auto begin_ns = static_cast<std::int64_t>(position.clock.nsec);
  const double frame_ns = 1e9 / position.clock.rate.denom;
  const std::int64_t period = options_.impulse_period_ns;
  // Half a frame earlier: the nearest frame to an impulse just before the cycle is its first.
  const auto half_ns = static_cast<std::int64_t>(frame_ns / 2);
  const std::int64_t next_ns = ((begin_ns - half_ns) / period + 1) * period;
  const std::int64_t place = std::llround(static_cast<double>(next_ns - begin_ns) / frame_ns);
  return place < static_cast<std::int64_t>(position.clock.duration) ? place : -1;
}

void Player::begin() {
  pw_properties* const properties = pw_properties_new(
      PW_KEY_NODE_NAME, options_.name.c_str(), PW_KEY_APP_NAME, options_.name.c_str(),
      PW_KEY_MEDIA_NAME, "graph position", PW_KEY_MEDIA_TYPE, "Audio", PW_KEY_MEDIA_CLASS,
      "Stream/Output/Audio", PW_KEY_NODE_AUTOCONNECT, "false", nullptr);
  filter_ = pw_filter_new(core_, options_.name.c_str(), properties);
  static const pw_filter_events events = [] {
    pw_filter_events all{};
    all.version = PW_VERSION_FILTER_EVENTS;
    all.process = on_process;
    return all;
  }();
  pw_filter_add_listener(filter_, &filter_listener_, &events, this);
  for (std::uint32_t c = 0; c < options_.channels; ++c) {
    const char* const position = position_name(options_.channels, c);
    ports_.push_back(pw_filter_add_port(
        filter_, PW_DIRECTION_OUTPUT, PW_FILTER_PORT_FLAG_MAP_BUFFERS, sizeof(std::uint64_t),
        pw_properties_new(PW_KEY_FORMAT_DSP, "32 bit float mono audio", PW_KEY_PORT_NAME,
                          (std::string("output_") + position).c_str(), PW_KEY_AUDIO_CHANNEL,
                          position, nullptr),
        nullptr, 0));
  }
  pw_filter_connect(filter_, PW_FILTER_FLAG_RT_PROCESS, nullptr, 0);
}

void Player::add(std::uint32_t id, const std::string& type, const spa_dict& properties) {
  const auto text = [&](const char* key) {
    const char* const value = spa_dict_lookup(&properties, key);
    return std::string(value ? value : "");
  };
  const std::string media_class = text(PW_KEY_MEDIA_CLASS);
  if (type == PW_TYPE_INTERFACE_Node &&
      (media_class == "Audio/Sink" || media_class == "Audio/Source/Virtual")) {
    sinks_[id] = text(PW_KEY_NODE_NAME);
  } else if (type == PW_TYPE_INTERFACE_Port) {
    const auto node = static_cast<std::uint32_t>(std::atoi(text(PW_KEY_NODE_ID).c_str()));
    const bool input = text(PW_KEY_PORT_DIRECTION) == "in";
    if (input && sinks_.contains(node)) sink_ports_[id] = {node, text(PW_KEY_AUDIO_CHANNEL)};
    if (!input && filter_ && node == pw_filter_get_node_id(filter_)) {
      own_ports_[id] = text(PW_KEY_AUDIO_CHANNEL);
    }
  }
  link();
}

void Player::link() {
  if (options_.target == "none") return;
  for (const auto& [own, position] : own_ports_) {
    if (links_.contains(own)) continue;
    for (const auto& [port, sink] : sink_ports_) {
      if (!options_.target.empty() && sinks_[sink.node] != options_.target) continue;
      if (position != "MONO" && sink.position != position) continue;
      const std::string output = std::to_string(own);
      const std::string input = std::to_string(port);
      const std::array<spa_dict_item, 3> items{
          SPA_DICT_ITEM_INIT(PW_KEY_LINK_OUTPUT_PORT, output.c_str()),
          SPA_DICT_ITEM_INIT(PW_KEY_LINK_INPUT_PORT, input.c_str()),
          SPA_DICT_ITEM_INIT(PW_KEY_OBJECT_LINGER, "false"),
      };
      const spa_dict wanted = SPA_DICT_INIT(items.data(), static_cast<std::uint32_t>(items.size()));
      links_[own] = static_cast<pw_proxy*>(pw_core_create_object(
          core_, "link-factory", PW_TYPE_INTERFACE_Link, PW_VERSION_LINK, &wanted, 0));
      break;
    }
  }
}

void Player::report() {
  for (; missed_reported_ < missed_count_.load(); ++missed_reported_) {
    const Missed& one = missed_[missed_reported_];
    std::printf("missed %lld %llu\n", static_cast<long long>(one.end_ns),
                static_cast<unsigned long long>(one.frames));
    std::fflush(stdout);
  }
  const std::int64_t first = first_ns_.load();
  if (reported_ || first == 0) return;
  reported_ = true;
  std::printf("first %lld\n", static_cast<long long>(first));
  std::fflush(stdout);
}

int Player::run() {
  loop_ = pw_main_loop_new(nullptr);
  pw_loop* const loop = pw_main_loop_get_loop(loop_);
  pw_loop_add_signal(loop, SIGINT, on_end, this);
  pw_loop_add_signal(loop, SIGTERM, on_end, this);
  // client-rt.conf: below PipeWire 1.4 only that one gives the data thread real-time priority.
  pw_context* const context =
      pw_context_new(loop, pw_properties_new(PW_KEY_CONFIG_NAME, "client-rt.conf", nullptr), 0);
  core_ = context ? pw_context_connect(context, nullptr, 0) : nullptr;
  if (!core_) {
    std::fprintf(stderr, "position_player: PipeWire is not running\n");
    return 1;
  }
  static const pw_registry_events events = [] {
    pw_registry_events all{};
    all.version = PW_VERSION_REGISTRY_EVENTS;
    all.global = on_global;
    return all;
  }();
  pw_registry* const registry = pw_core_get_registry(core_, PW_VERSION_REGISTRY, 0);
  pw_registry_add_listener(registry, &registry_listener_, &events, this);

  const auto after = [](double seconds) {
    timespec time{static_cast<time_t>(seconds), 0};
    time.tv_nsec = static_cast<long>((seconds - static_cast<double>(time.tv_sec)) * 1e9);
    if (time.tv_sec == 0 && time.tv_nsec == 0) time.tv_nsec = 1;  // 0 would never fire
    return time;
  };
  timespec delay = after(options_.delay_s);
  timespec never{0, 0};
  pw_loop_update_timer(loop, pw_loop_add_timer(loop, on_timer, this), &delay, &never, false);
  timespec poll = after(0.005);
  pw_loop_update_timer(loop, pw_loop_add_timer(loop, on_poll, this), &poll, &poll, false);
  pw_main_loop_run(loop_);
  if (filter_) pw_filter_destroy(filter_);
  pw_context_destroy(context);
  pw_main_loop_destroy(loop_);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--name")
      options.name = argv[i + 1];
    else if (option == "--target")
      options.target = argv[i + 1];
    else if (option == "--channels")
      options.channels = static_cast<std::uint32_t>(std::atoi(argv[i + 1]));
    else if (option == "--delay")
      options.delay_s = std::atof(argv[i + 1]);
    else if (option == "--tone")
      options.tone_hz = std::atof(argv[i + 1]);
    else if (option == "--impulses")
      options.impulse_period_ns = std::atoll(argv[i + 1]);
    else {
      std::fprintf(stderr, "position_player: no such option: %s\n", option.c_str());
      return 2;
    }
  }
  if (options.channels < 1 || options.channels > kMaxChannels) return 2;
  pw_init(nullptr, nullptr);
  return Player(options).run();
}
