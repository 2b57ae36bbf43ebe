// SPDX-License-Identifier: MIT
// Records what comes in each cycle of the audio graph, with the cycle's position, so that what a
// source left out can be told from what the recorder missed itself.
//
//   cycle_recorder NAME PORTS SECONDS FILE
//
// The ports are called input_0, input_1, ...; somebody else links them. At SIGINT or SIGTERM it
// writes the file, of the first SECONDS at 48 kHz at most: for each cycle three int64 (position,
// frames, and 1 if it came too late to be trusted, else 0) and then each port's frames as 32-bit
// float.
#include <pipewire/filter.h>
#include <pipewire/pipewire.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

struct Cycle {
  std::int64_t position = 0;
  std::int64_t frames = 0;
  std::int64_t late = 0;
};

class Recorder {
 public:
  Recorder(std::string name, std::size_t ports, std::size_t seconds)
      : name_(std::move(name)), ports_(ports) {
    // Touched here, so that the data thread finds it there.
    cycles_.resize(seconds * 48000 / 32);
    samples_.resize(seconds * 48000 * ports);
  }

  int run(const char* path);

 private:
  static Recorder& self(void* data) { return *static_cast<Recorder*>(data); }
  static void on_process(void* data, spa_io_position* position) { self(data).process(*position); }
  static void on_end(void* data, int) { pw_main_loop_quit(self(data).loop_); }

  void process(const spa_io_position& live);
  bool write(const char* path) const;

  std::string name_;
  pw_main_loop* loop_ = nullptr;
  pw_filter* filter_ = nullptr;
  spa_hook listener_{};
  std::vector<void*> ports_;
  std::vector<Cycle> cycles_;   // the data thread's, as far as they are counted
  std::vector<float> samples_;  // the data thread's
  std::size_t cycle_count_ = 0;
  std::size_t sample_count_ = 0;
};

void Recorder::process(const spa_io_position& live) {
  const spa_io_clock clock = live.clock;
  const auto frames = static_cast<std::uint32_t>(clock.duration);
  if (cycle_count_ == cycles_.size() || sample_count_ + ports_.size() * frames > samples_.size())
    return;
  float* out = samples_.data() + sample_count_;
  for (void* const port : ports_) {
    const auto* const in = static_cast<const float*>(pw_filter_get_dsp_buffer(port, frames));
    if (in) std::memcpy(out, in, frames * sizeof(float));
    out += frames;
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  const bool overtaken =
      *static_cast<const volatile std::uint64_t*>(&live.clock.position) != clock.position;
  cycles_[cycle_count_++] = {static_cast<std::int64_t>(clock.position), frames, overtaken ? 1 : 0};
  sample_count_ += ports_.size() * frames;
}

bool Recorder::write(const char* path) const {
  std::FILE* const file = std::fopen(path, "wb");
  if (!file) return false;
  const float* samples = samples_.data();
  bool written = true;
  for (std::size_t i = 0; i < cycle_count_; ++i) {
    const std::size_t count = ports_.size() * static_cast<std::size_t>(cycles_[i].frames);
    written = written && std::fwrite(&cycles_[i], sizeof(Cycle), 1, file) == 1 &&
              std::fwrite(samples, sizeof(float), count, file) == count;
    samples += count;
  }
  return std::fclose(file) == 0 && written;
}

int Recorder::run(const char* path) {
  loop_ = pw_main_loop_new(nullptr);
  pw_loop* const loop = pw_main_loop_get_loop(loop_);
  pw_loop_add_signal(loop, SIGINT, on_end, this);
  pw_loop_add_signal(loop, SIGTERM, on_end, this);
  // client-rt.conf: below PipeWire 1.4 only that one gives the data thread real-time priority.
  pw_context* const context =
      pw_context_new(loop, pw_properties_new(PW_KEY_CONFIG_NAME, "client-rt.conf", nullptr), 0);
  pw_core* const core = context ? pw_context_connect(context, nullptr, 0) : nullptr;
  if (!core) {
    std::fprintf(stderr, "cycle_recorder: PipeWire is not running\n");
    return 1;
  }
  filter_ = pw_filter_new(core, name_.c_str(),
                          pw_properties_new(PW_KEY_NODE_NAME, name_.c_str(), PW_KEY_MEDIA_TYPE,
                                            "Audio", PW_KEY_MEDIA_CATEGORY, "Capture",
                                            PW_KEY_NODE_AUTOCONNECT, "false", nullptr));
  static const pw_filter_events events = [] {
    pw_filter_events all{};
    all.version = PW_VERSION_FILTER_EVENTS;
    all.process = on_process;
    return all;
  }();
  pw_filter_add_listener(filter_, &listener_, &events, this);
  for (std::size_t p = 0; p < ports_.size(); ++p) {
    ports_[p] = pw_filter_add_port(
        filter_, PW_DIRECTION_INPUT, PW_FILTER_PORT_FLAG_MAP_BUFFERS, sizeof(std::uint64_t),
        pw_properties_new(PW_KEY_FORMAT_DSP, "32 bit float mono audio", PW_KEY_PORT_NAME,
                          ("input_" + std::to_string(p)).c_str(), nullptr),
        nullptr, 0);
  }
  pw_filter_connect(filter_, PW_FILTER_FLAG_RT_PROCESS, nullptr, 0);
  pw_main_loop_run(loop_);
  pw_filter_destroy(filter_);
  pw_context_destroy(context);
  pw_main_loop_destroy(loop_);
  if (write(path)) return 0;
  std::fprintf(stderr, "cycle_recorder: %s cannot be written\n", path);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: cycle_recorder NAME PORTS SECONDS FILE\n");
    return 2;
  }
  const int ports = std::atoi(argv[2]);
  const int seconds = std::atoi(argv[3]);
  if (ports < 1 || ports > 16 || seconds < 1 || seconds > 600) return 2;
  pw_init(nullptr, nullptr);
  return Recorder(argv[1], static_cast<std::size_t>(ports), static_cast<std::size_t>(seconds))
      .run(argv[4]);
}
