// SPDX-License-Identifier: MIT
#include "sinks/shared_tracks.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <random>

#include "core/status.hpp"
#include "core/thread_role.hpp"
#include "os/process_snapshot.hpp"
#include "os/shared_file.hpp"
#include "sinks/interleave.hpp"

namespace pypac {

using shared_track::Header;
using shared_track::LivePositions;
using shared_track::WriterState;

namespace {

shared_track::SessionId random_id() {
  std::random_device random;
  shared_track::SessionId id;
  for (std::uint8_t& byte : id) byte = static_cast<std::uint8_t>(random());
  return id;
}

void set_name(std::array<char, shared_track::kNameBytes>& field, const std::string& name) {
  // One byte less: so that a program in C can take it for a string.
  if (name.size() >= field.size())
    throw Failure(ErrorKind::invalid_argument, "the name \"" + name + "\" is too long",
                  "shorten it");
  std::memcpy(field.data(), name.data(), name.size());
}

void check(const SharedTracksOptions& options, const std::vector<SharedTracks::Track>& tracks) {
  using namespace shared_track;
  const auto refuse = [](const std::string& what) {
    throw Failure(ErrorKind::invalid_argument, "a shared track cannot have " + what);
  };
  if (options.sample_rate < kMinSampleRate || options.sample_rate > kMaxSampleRate)
    refuse("a sample rate of " + std::to_string(options.sample_rate));
  if (options.block_frames < 1 || options.block_frames > kMaxBlockFrames)
    refuse("blocks of " + std::to_string(options.block_frames) + " frames");
  if (options.capacity_frames > kMaxCapacityFrames)
    refuse("room for " + std::to_string(options.capacity_frames) + " frames");
  if (options.latency_frames > kMaxCapacityFrames)
    refuse("a latency of " + std::to_string(options.latency_frames) + " frames");
  for (const SharedTracks::Track& track : tracks)
    if (track.channels < 1 || track.channels > kMaxChannels)
      refuse(std::to_string(track.channels) + " channels");
}

std::string writer_of(const std::string& session, const std::string& track) {
  SharedFile file(session, track);
  Header header{};
  if (!file.open() || file.read_at(0, &header, sizeof header) != sizeof header ||
      header.magic != shared_track::kMagic || header.writer_pid <= 0)
    return "another process";
  return "the process " + std::to_string(header.writer_pid);
}

std::unique_ptr<SharedMemory> make_memory(const std::string& session, const std::string& track,
                                          std::size_t bytes,
                                          const std::function<void(std::byte*)>& fill) {
  try {
    return std::make_unique<SharedMemory>(session, track, bytes, fill);
  } catch (const NameInUse&) {
    throw Failure(ErrorKind::output_failed,
                  "the track \"" + track + "\" of a session \"" + session +
                      "\" is being written by " + writer_of(session, track) + " already",
                  "End that session, or run this profile under another file name.");
  }
}

}  // namespace

SharedTracks::SharedTracks(const SharedTracksOptions& options, const std::vector<Track>& tracks,
                           const HostClock& clock)
    : capacity_frames_(std::max(options.capacity_frames, 2 * options.block_frames)),
      clock_(clock),
      session_id_(random_id()) {
  check(options, tracks);
  for (const Track& track : tracks) {
    Header header{};
    header.magic = shared_track::kMagic;
    header.version = shared_track::kVersion;
    header.header_bytes = shared_track::kHeaderBytes;
    header.session_id = session_id_;
    header.sample_rate = options.sample_rate;
    header.channels = track.channels;
    header.capacity_frames = capacity_frames_;
    header.block_frames = options.block_frames;
    header.latency_frames = options.latency_frames;
    header.writer_pid = current_process_id();
    set_name(header.session_name, options.session);
    set_name(header.track_name, track.name);
    LivePositions* positions = nullptr;
    auto memory = make_memory(
        options.session, track.name,
        shared_track::kHeaderBytes + std::size_t{capacity_frames_} * track.channels * sizeof(float),
        [&](std::byte* data) {
          std::memcpy(data, &header, sizeof header);
          positions = new (data + shared_track::kPositionsOffset) LivePositions{};
          positions->heartbeat.store(clock_.now().count(), std::memory_order_relaxed);
        });
    auto* const samples = reinterpret_cast<float*>(memory->data() + shared_track::kHeaderBytes);
    tracks_.push_back({std::move(memory), positions, samples, track.channels});
  }
}

SharedTracks::~SharedTracks() {
  close();
}

void SharedTracks::start(const TimelineAnchor& anchor) {
  for (const Memory& track : tracks_) {
    track.positions->origin.store(anchor.origin.count(), std::memory_order_relaxed);
    track.positions->heartbeat.store(clock_.now().count(), std::memory_order_relaxed);
    track.positions->state.store(WriterState::running, std::memory_order_release);
  }
}

bool SharedTracks::begin_block(Frames start, std::uint32_t frames) noexcept {
  if (closed()) return false;
  start_ = start;
  frames_ = frames;
  for (const Memory& track : tracks_) {
    if (!written_any_) track.positions->first.store(start, std::memory_order_relaxed);
    track.positions->reserved.store(start + frames, std::memory_order_relaxed);
  }
  // Readers must see what is reserved before anything of it changes.
  std::atomic_thread_fence(std::memory_order_release);
  return true;
}

void SharedTracks::write_track(std::size_t track, const float* const* channels) noexcept {
  const Memory& memory = tracks_[track];
  const auto place = static_cast<std::uint32_t>(start_ % capacity_frames_);
  const std::uint32_t before_wrap = std::min(frames_, capacity_frames_ - place);
  interleave(channels, memory.channels, 0, before_wrap,
             memory.samples + std::size_t{place} * memory.channels);
  interleave(channels, memory.channels, before_wrap, frames_ - before_wrap, memory.samples);
}

void SharedTracks::commit_block() noexcept {
  const std::int64_t now = clock_.now().count();
  for (const Memory& track : tracks_) {
    track.positions->heartbeat.store(now, std::memory_order_relaxed);
    track.positions->written.store(start_ + frames_, std::memory_order_release);
  }
  written_any_ = true;
}

void SharedTracks::finish() noexcept {
  for (const Memory& track : tracks_)
    track.positions->state.store(WriterState::ended, std::memory_order_release);
}

void SharedTracks::close() noexcept {
  PYPAC_ASSERT_NOT_REALTIME();
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;
  finish();
  for (const Memory& track : tracks_) track.memory->remove();
}

std::vector<std::string> SharedTracks::paths() const {
  std::vector<std::string> paths;
  paths.reserve(tracks_.size());
  for (const Memory& track : tracks_) paths.push_back(track.memory->path());
  return paths;
}

}  // namespace pypac
