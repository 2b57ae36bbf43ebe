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

// Who cuts off a track again and again may have that: each time costs memory until the end.
constexpr std::size_t kMostMemories = 16;

}  // namespace

SharedTracks::SharedTracks(const SharedTracksOptions& options, const std::vector<Track>& tracks,
                           const HostClock& clock)
    : session_(options.session),
      capacity_frames_(std::max(options.capacity_frames, 2 * options.block_frames)),
      clock_(clock),
      session_id_(random_id()) {
  PYPAC_ASSERT_NOT_REALTIME();
  check(options, tracks);
  for (const Track& track : tracks) {
    auto live = std::make_unique<Live>();
    live->name = track.name;
    Header& header = live->header = Header{};
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
    live->memories.push_back(make_memory(*live));
    live->newest.store(live->memories.back().get(), std::memory_order_relaxed);
    tracks_.push_back(std::move(live));
  }
}

std::unique_ptr<SharedTracks::Memory> SharedTracks::make_memory(const Live& track) const {
  const std::size_t bytes = shared_track::kHeaderBytes +
                            std::size_t{capacity_frames_} * track.header.channels * sizeof(float);
  LivePositions* positions = nullptr;
  try {
    auto memory = std::make_unique<SharedMemory>(session_, track.name, bytes, [&](std::byte* data) {
      std::memcpy(data, &track.header, sizeof track.header);
      positions = new (data + shared_track::kPositionsOffset) LivePositions{};
      positions->heartbeat.store(clock_.now().count(), std::memory_order_relaxed);
    });
    auto* const samples = reinterpret_cast<float*>(memory->data() + shared_track::kHeaderBytes);
    return std::make_unique<Memory>(std::move(memory), positions, samples);
  } catch (const NameInUse&) {
    throw Failure(ErrorKind::output_failed,
                  "the track \"" + track.name + "\" of a session \"" + session_ +
                      "\" is being written by " + writer_of(session_, track.name) + " already",
                  "End that session, or run this profile under another file name.");
  }
}

SharedTracks::~SharedTracks() {
  close();
}

void SharedTracks::start(const TimelineAnchor& anchor) {
  started_ = true;
  origin_ = anchor.origin;
  for (const auto& track : tracks_) begin_positions(*track->newest.load()->positions);
}

void SharedTracks::begin_positions(LivePositions& positions) const noexcept {
  positions.origin.store(origin_.count(), std::memory_order_relaxed);
  positions.heartbeat.store(clock_.now().count(), std::memory_order_relaxed);
  positions.state.store(WriterState::running, std::memory_order_release);
}

bool SharedTracks::begin_block(Frames start, std::uint32_t frames) noexcept {
  if (closed()) return false;
  start_ = start;
  frames_ = frames;
  for (const auto& track : tracks_) {
    Memory* const memory = track->in_use = track->newest.load(std::memory_order_acquire);
    if (!memory->begun) memory->positions->first.store(start, std::memory_order_relaxed);
    memory->begun = true;
    memory->positions->reserved.store(start + frames, std::memory_order_relaxed);
  }
  // Readers must see what is reserved before anything of it changes.
  std::atomic_thread_fence(std::memory_order_release);
  return true;
}

void SharedTracks::write_track(std::size_t track, const float* const* channels) noexcept {
  const Live& live = *tracks_[track];
  const std::uint32_t count = live.header.channels;
  float* const samples = live.in_use->samples;
  const auto place = static_cast<std::uint32_t>(start_ % capacity_frames_);
  const std::uint32_t before_wrap = std::min(frames_, capacity_frames_ - place);
  interleave(channels, count, 0, before_wrap, samples + std::size_t{place} * count);
  interleave(channels, count, before_wrap, frames_ - before_wrap, samples);
}

void SharedTracks::commit_block() noexcept {
  const std::int64_t now = clock_.now().count();
  for (const auto& track : tracks_) {
    Memory& memory = *track->in_use;
    memory.positions->heartbeat.store(now, std::memory_order_relaxed);
    memory.positions->written.store(start_ + frames_, std::memory_order_release);
    if (memory.memory->lost() && memory.lost_at.load(std::memory_order_relaxed) < 0)
      memory.lost_at.store(start_, std::memory_order_relaxed);
  }
  end_.store(start_ + frames_, std::memory_order_release);
}

void SharedTracks::finish() noexcept {
  finished_.store(true);
  for (const auto& track : tracks_)
    track->newest.load()->positions->state.store(WriterState::ended, std::memory_order_release);
}

bool SharedTracks::intact(const Live& track) const noexcept {
  const SharedMemory& memory = *track.memories.back()->memory;
  // Cut off and made as long again between two blocks, it has none of our header.
  return memory.intact() && std::memcmp(memory.data(), &track.header, sizeof track.header) == 0;
}

void SharedTracks::renew(Live& track) {
  if (track.memories.size() >= kMostMemories)
    throw Failure(ErrorKind::output_failed, "it was cut off too often",
                  "find the program that does it, and start the session again");
  Memory& old = *track.memories.back();
  old.positions->state.store(WriterState::ended, std::memory_order_release);
  old.memory->remove();
  track.memories.push_back(make_memory(track));
  Memory* const memory = track.memories.back().get();
  if (started_) begin_positions(*memory->positions);
  track.newest.store(memory);
  // The pump may have finished just before.
  if (finished_.load()) memory->positions->state.store(WriterState::ended);
}

std::vector<SharedTracks::Loss> SharedTracks::restore_lost() {
  PYPAC_ASSERT_NOT_REALTIME();
  std::vector<Loss> losses;
  if (closed() || finished_.load()) return losses;
  for (std::size_t index = 0; index < tracks_.size(); ++index) {
    Live& track = *tracks_[index];
    const LivePositions& positions = *track.memories.back()->positions;
    if (intact(track)) {
      if (track.missing_from < 0 || positions.written.load(std::memory_order_acquire) == 0)
        continue;
      const Frames first = positions.first.load(std::memory_order_relaxed);
      losses.push_back(
          {index, track.missing_from, std::max<Frames>(0, first - track.missing_from), ""});
      track.missing_from = -1;
      track.told = false;
      continue;
    }
    if (track.missing_from < 0) {
      const Frames lost_at = track.memories.back()->lost_at.load(std::memory_order_relaxed);
      track.missing_from = lost_at >= 0 ? lost_at : end_.load(std::memory_order_acquire);
    }
    try {
      renew(track);
    } catch (const Failure& failure) {
      if (!track.told) losses.push_back({index, track.missing_from, 0, failure.what()});
      track.told = true;
    }
  }
  return losses;
}

void SharedTracks::close() noexcept {
  PYPAC_ASSERT_NOT_REALTIME();
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;
  finish();
  for (const auto& track : tracks_) track->memories.back()->memory->remove();
}

std::vector<std::string> SharedTracks::paths() const {
  PYPAC_ASSERT_NOT_REALTIME();
  std::vector<std::string> paths;
  paths.reserve(tracks_.size());
  for (const auto& track : tracks_) paths.push_back(track->memories.back()->memory->path());
  return paths;
}

}  // namespace pypac
