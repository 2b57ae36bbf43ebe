// SPDX-License-Identifier: MIT
// Writes down when each cycle of the audio graph began, so that a frame whose graph position is
// known can be given its host time without asking whoever captured it.
//
//   cycle_clock [--target SINK]
//
// Plays silence, so as to run with the graph. One line a cycle on standard output:
// "POSITION HOST_TIME_NS FRAMES" (CLOCK_MONOTONIC). SIGINT and SIGTERM end it.
#include <pipewire/pipewire.h>
#include <spa/param/audio/format-utils.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace {

struct Cycle {
  std::uint64_t position = 0;
  std::uint64_t host_time_ns = 0;
  std::uint64_t frames = 0;
};

struct CycleClock {
  pw_main_loop* loop = nullptr;
  pw_stream* stream = nullptr;
  const spa_io_position* position = nullptr;  // data thread only
  std::array<Cycle, 8192> ring{};             // 11 s at 64 frames: emptied ten times a second
  std::atomic<std::uint64_t> written{0};      // data thread only writes
  std::uint64_t printed = 0;                  // main thread only
};

void on_io_changed(void* data, std::uint32_t id, void* area, std::uint32_t) {
  if (id == SPA_IO_Position)
    static_cast<CycleClock*>(data)->position = static_cast<const spa_io_position*>(area);
}

void on_process(void* data) {
  auto& self = *static_cast<CycleClock*>(data);
  std::uint64_t frames = 0;
  if (self.position) {
    const spa_io_clock& clock = self.position->clock;
    frames = clock.duration;
    const std::uint64_t at = self.written.load(std::memory_order_relaxed);
    self.ring[at % self.ring.size()] = {clock.position, clock.nsec, frames};
    self.written.store(at + 1, std::memory_order_release);
  }
  pw_buffer* const buffer = pw_stream_dequeue_buffer(self.stream);
  if (!buffer) return;
  spa_data& out = buffer->buffer->datas[0];
  const auto bytes = std::min<std::uint32_t>(
      out.maxsize, static_cast<std::uint32_t>((frames ? frames : 256) * sizeof(float)));
  if (out.data) std::memset(out.data, 0, bytes);
  out.chunk->offset = 0;
  out.chunk->stride = sizeof(float);
  out.chunk->size = bytes;
  pw_stream_queue_buffer(self.stream, buffer);
}

void print(CycleClock& self) {
  const std::uint64_t end = self.written.load(std::memory_order_acquire);
  for (; self.printed < end; ++self.printed) {
    const Cycle& cycle = self.ring[self.printed % self.ring.size()];
    std::printf("%llu %llu %llu\n", static_cast<unsigned long long>(cycle.position),
                static_cast<unsigned long long>(cycle.host_time_ns),
                static_cast<unsigned long long>(cycle.frames));
  }
  std::fflush(stdout);
}

void on_timer(void* data, std::uint64_t) {
  print(*static_cast<CycleClock*>(data));
}
void on_end(void* data, int) {
  pw_main_loop_quit(static_cast<CycleClock*>(data)->loop);
}

}  // namespace

int main(int argc, char** argv) {
  static CycleClock self;
  const char* target = nullptr;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--target") != 0) {
      std::fprintf(stderr, "cycle_clock: no such option: %s\n", argv[i]);
      return 2;
    }
    target = argv[i + 1];
  }
  pw_init(nullptr, nullptr);
  self.loop = pw_main_loop_new(nullptr);
  pw_loop* const loop = pw_main_loop_get_loop(self.loop);
  pw_loop_add_signal(loop, SIGINT, on_end, &self);
  pw_loop_add_signal(loop, SIGTERM, on_end, &self);
  // client-rt.conf: below PipeWire 1.4 only that one gives the data thread real-time priority.
  pw_properties* const properties =
      pw_properties_new(PW_KEY_CONFIG_NAME, "client-rt.conf", PW_KEY_NODE_NAME, "cycle-clock",
                        PW_KEY_APP_NAME, "cycle-clock", PW_KEY_MEDIA_TYPE, "Audio",
                        PW_KEY_MEDIA_CATEGORY, "Playback", PW_KEY_MEDIA_ROLE, "Music", nullptr);
  if (target) pw_properties_set(properties, PW_KEY_TARGET_OBJECT, target);
  static const pw_stream_events events = [] {
    pw_stream_events all{};
    all.version = PW_VERSION_STREAM_EVENTS;
    all.io_changed = on_io_changed;
    all.process = on_process;
    return all;
  }();
  self.stream = pw_stream_new_simple(loop, "cycle clock", properties, &events, &self);
  std::array<std::uint8_t, 1024> memory{};
  spa_pod_builder builder = SPA_POD_BUILDER_INIT(memory.data(), memory.size());
  spa_audio_info_raw format{};
  format.format = SPA_AUDIO_FORMAT_F32;
  format.rate = 48000;
  format.channels = 1;
  format.position[0] = SPA_AUDIO_CHANNEL_MONO;
  const spa_pod* parameters = spa_format_audio_raw_build(&builder, SPA_PARAM_EnumFormat, &format);
  const auto flags = static_cast<pw_stream_flags>(
      PW_STREAM_FLAG_AUTOCONNECT | PW_STREAM_FLAG_MAP_BUFFERS | PW_STREAM_FLAG_RT_PROCESS);
  if (!self.stream ||
      pw_stream_connect(self.stream, PW_DIRECTION_OUTPUT, PW_ID_ANY, flags, &parameters, 1) < 0) {
    std::fprintf(stderr, "cycle_clock: PipeWire is not running\n");
    return 1;
  }
  timespec interval{0, 100'000'000};
  pw_loop_update_timer(loop, pw_loop_add_timer(loop, on_timer, &self), &interval, &interval, false);
  pw_main_loop_run(self.loop);
  print(self);
  pw_stream_destroy(self.stream);
  pw_main_loop_destroy(self.loop);
  return 0;
}
