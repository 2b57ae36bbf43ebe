// SPDX-License-Identifier: MIT
#include "sinks/shared_track_reader.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>

namespace pypac {

using shared_track::Header;
using shared_track::PositionsCopy;
using shared_track::WriterState;
using State = SharedTrackState;

namespace {

constexpr HostTime kLookEvery = std::chrono::milliseconds(200);
// The writer's pump gives a sign of life every block, which is 10 ms or less.
constexpr HostTime kSilentFor = std::chrono::seconds(1);
// The writer changes its positions twice a block: two equal reads in a row are soon had.
constexpr int kTries = 8;
// How often a read starts again because it was overrun meanwhile.
constexpr int kOverruns = 3;
// In place of positions that are not there: never valid.
constexpr Frames kCutOff = -1;

std::uint64_t bytes_needed(const Header& header) {
  return shared_track::kHeaderBytes +
         std::uint64_t{header.capacity_frames} * header.channels * sizeof(float);
}

bool is_name(const std::array<char, shared_track::kNameBytes>& field, const std::string& name) {
  return name.size() < field.size() && std::string_view(field.data(), name.size()) == name &&
         std::all_of(field.begin() + static_cast<std::ptrdiff_t>(name.size()), field.end(),
                     [](char c) { return c == '\0'; });
}

}  // namespace

const char* name_of(SharedTrackState state) noexcept {
  switch (state) {
    case SharedTrackState::absent:
      return "absent";
    case SharedTrackState::incompatible:
      return "incompatible";
    case SharedTrackState::damaged:
      return "damaged";
    case SharedTrackState::starting:
      return "starting";
    case SharedTrackState::running:
      return "running";
    case SharedTrackState::ended:
      return "ended";
    case SharedTrackState::gone:
      return "gone";
  }
  return "damaged";
}

SharedTrackReader::SharedTrackReader(const std::string& session, const std::string& track,
                                     std::shared_ptr<Room> room)
    : SharedTrackReader(session, track, std::make_unique<SharedFile>(session, track),
                        std::move(room)) {}

SharedTrackReader::SharedTrackReader(std::string session, std::string track,
                                     std::unique_ptr<SharedBytes> bytes, std::shared_ptr<Room> room)
    : session_(std::move(session)),
      track_(std::move(track)),
      bytes_(std::move(bytes)),
      room_(std::move(room)) {}

State SharedTrackReader::poll(HostTime now) noexcept {
  // The second half: a clock that went back must not keep us from looking for long.
  const bool look = now >= next_look_ || next_look_ - now > kLookEvery;
  if (look) {
    next_look_ = now + kLookEvery;
    if (attached_ && bytes_->replaced()) {
      PositionsCopy positions;
      // A session's end and the file's removal come together: let the last frames be read.
      leaving_ = !leaving_ && read_positions(positions) && positions.written > next_;
      if (!leaving_) detach(State::absent);
    }
  }
  if (!attached_) {
    if (!look) return state_;
    if (!bytes_->open()) return state_ = State::absent;
    if (!attach()) return state_;
  }
  Header header;
  if (bytes_->read_at(0, &header, sizeof header) != sizeof header) {
    detach(State::damaged);
  } else if (std::memcmp(&header, &header_, sizeof header) != 0 && !attach()) {
    return state_;
  } else {
    state_ = look_at_positions(now);
    if (state_ == State::damaged) detach(state_);
  }
  return state_;
}

bool SharedTrackReader::attach() noexcept {
  Header header;
  if (bytes_->read_at(0, &header, sizeof header) != sizeof header ||
      header.magic != shared_track::kMagic) {
    detach(State::damaged);
    return false;
  }
  if (header.version != shared_track::kVersion) {
    detach(State::incompatible);
    return false;
  }
  PositionsCopy positions;
  if (!is_valid(header)) {
    detach(State::damaged);
    return false;
  }
  header_ = header;
  info_ = SharedTrackInfo{header.session_id,
                          {HostTime(0), header.sample_rate},
                          header.channels,
                          header.capacity_frames,
                          header.block_frames,
                          header.latency_frames,
                          0,
                          header.writer_pid};
  last_written_ = 0;
  if (!read_positions(positions) || !is_valid(positions)) {
    detach(State::damaged);
    return false;
  }
  next_ = positions.written > 0 ? newest_block(positions) : kNotBegun;
  attached_ = true;
  leaving_ = false;
  return true;
}

void SharedTrackReader::detach(State why) noexcept {
  attached_ = false;
  leaving_ = false;
  state_ = why;
}

bool SharedTrackReader::is_valid(const Header& header) const noexcept {
  using namespace shared_track;
  if (header.header_bytes != kHeaderBytes) return false;
  if (header.channels < 1 || header.channels > kMaxChannels) return false;
  if (header.sample_rate < kMinSampleRate || header.sample_rate > kMaxSampleRate) return false;
  if (header.block_frames < 1 || header.block_frames > kMaxBlockFrames) return false;
  if (header.capacity_frames / 2 < header.block_frames) return false;
  if (header.capacity_frames > kMaxCapacityFrames) return false;
  if (header.latency_frames > kMaxCapacityFrames) return false;
  return bytes_->size() >= bytes_needed(header) && is_name(header.session_name, session_) &&
         is_name(header.track_name, track_);
}

bool SharedTrackReader::copy_positions(PositionsCopy& positions) noexcept {
  const bool complete = bytes_->read_at(shared_track::kPositionsOffset, &positions,
                                        sizeof positions) == sizeof positions;
  std::atomic_thread_fence(std::memory_order_acquire);
  return complete;
}

bool SharedTrackReader::read_positions(PositionsCopy& positions) noexcept {
  // A copy may fall between two of the writer's stores, or even into one. No position ever goes
  // back, so two equal copies in a row are what stood there between them.
  PositionsCopy before;
  bool steady = false;
  for (int tries = 0; tries < kTries && !steady; ++tries) {
    if (!copy_positions(positions)) {
      positions.written = kCutOff;
      return true;
    }
    steady = tries > 0 && std::memcmp(&before, &positions, sizeof before) == 0;
    before = positions;
  }
  return steady;
}

bool SharedTrackReader::is_valid(const PositionsCopy& positions) const noexcept {
  using namespace shared_track;
  if (positions.state > WriterState::ended) return false;
  if (positions.origin < 0 || positions.origin > kMaxHostTime) return false;
  if (positions.heartbeat < 0 || positions.heartbeat > kMaxHostTime) return false;
  const Frames end = kMaxSeconds * info_.anchor.sample_rate;
  if (positions.reserved < 0 || positions.reserved > end) return false;
  if (positions.first < 0 || positions.first > positions.reserved) return false;
  if (positions.written < last_written_) return false;
  // The first block is being written.
  if (positions.written == 0) return true;
  return positions.first < positions.written && positions.written <= positions.reserved &&
         positions.reserved - positions.written <= info_.block_frames;
}

State SharedTrackReader::look_at_positions(HostTime now) noexcept {
  PositionsCopy positions;
  if (!read_positions(positions)) return state_;
  if (!is_valid(positions)) return State::damaged;
  last_written_ = positions.written;
  info_.anchor.origin = HostTime(positions.origin);
  info_.first_frame = positions.first;
  if (positions.state == WriterState::starting) return State::starting;
  if (positions.state == WriterState::ended) return State::ended;
  const HostTime silent_for = now - HostTime(positions.heartbeat);
  return silent_for > kSilentFor || silent_for < -kSilentFor ? State::gone : State::running;
}

Frames SharedTrackReader::oldest(const PositionsCopy& positions) const noexcept {
  return std::max(positions.first, positions.reserved - info_.capacity_frames);
}

Frames SharedTrackReader::newest_block(const PositionsCopy& positions) const noexcept {
  return std::max(oldest(positions), positions.written - info_.block_frames);
}

SharedTrackReader::Read SharedTrackReader::read(float* const* planar,
                                                std::uint32_t max_frames) noexcept {
  Read result;
  if (attached_ && read_quickly(planar, max_frames, result)) return result;
  for (int overruns = 0; attached_ && overruns < kOverruns; ++overruns) {
    PositionsCopy positions;
    if (!read_positions(positions)) break;
    if (!is_valid(positions)) {
      detach(State::damaged);
      break;
    }
    last_written_ = positions.written;
    if (positions.written == 0) break;
    next_ = std::max(next_, positions.first);
    if (next_ < oldest(positions)) {
      result.lost += newest_block(positions) - next_;
      next_ = newest_block(positions);
    }
    result.start = next_;
    if (next_ >= positions.written) break;
    const auto frames = static_cast<std::uint32_t>(
        std::min<Frames>({max_frames, kMostFrames, positions.written - next_}));
    if (frames == 0) break;
    if (!copy_frames(next_, frames)) {
      detach(State::damaged);
      break;
    }
    // What was copied counts only if nothing of it can have been overwritten meanwhile.
    if (!read_positions(positions)) break;
    if (!is_valid(positions)) {
      detach(State::damaged);
      break;
    }
    if (next_ < oldest(positions)) continue;
    accept(planar, frames, result);
    break;
  }
  return result;
}

bool SharedTrackReader::read_quickly(float* const* planar, std::uint32_t max_frames,
                                     Read& result) noexcept {
  PositionsCopy positions;
  if (!copy_positions(positions) || !is_valid(positions)) return false;
  if (next_ < oldest(positions) || next_ >= positions.written) return false;
  const auto frames = static_cast<std::uint32_t>(
      std::min<Frames>({max_frames, kMostFrames, positions.written - next_}));
  if (frames == 0 || !copy_frames(next_, frames)) return false;
  // As in read_positions(): two equal copies are what stood there between them, all the while that
  // the frames were copied.
  PositionsCopy after;
  if (!copy_positions(after) || std::memcmp(&after, &positions, sizeof after) != 0) return false;
  last_written_ = positions.written;
  accept(planar, frames, result);
  return true;
}

void SharedTrackReader::accept(float* const* planar, std::uint32_t frames, Read& result) noexcept {
  separate(planar, frames);
  result.start = next_;
  result.frames = frames;
  next_ += frames;
}

bool SharedTrackReader::copy_frames(Frames start, std::uint32_t frames) noexcept {
  const std::uint64_t frame_bytes = info_.channels * sizeof(float);
  const auto place = static_cast<std::uint64_t>(start) % info_.capacity_frames;
  const std::uint64_t before_wrap = std::min<std::uint64_t>(frames, info_.capacity_frames - place);
  const std::uint64_t behind_wrap = frames - before_wrap;
  const bool complete =
      bytes_->read_at(shared_track::kHeaderBytes + place * frame_bytes, room_->interleaved.data(),
                      before_wrap * frame_bytes) == before_wrap * frame_bytes &&
      bytes_->read_at(shared_track::kHeaderBytes,
                      room_->interleaved.data() + before_wrap * info_.channels,
                      behind_wrap * frame_bytes) == behind_wrap * frame_bytes;
  std::atomic_thread_fence(std::memory_order_acquire);
  return complete && bytes_->size() >= bytes_needed(header_);
}

void SharedTrackReader::separate(float* const* planar, std::uint32_t frames) const noexcept {
  for (std::uint32_t channel = 0; channel < info_.channels; ++channel) {
    const float* in = room_->interleaved.data() + channel;
    float* const out = planar[channel];
    for (std::uint32_t i = 0; i < frames; ++i, in += info_.channels)
      out[i] = std::isfinite(*in) ? *in : 0.0F;
  }
}

std::vector<SharedTrackListing> list_shared_tracks(HostTime now, std::size_t limit) {
  std::vector<SharedTrackListing> listings;
  for (auto& [session, track] : list_shared_files(limit)) {
    const State state = SharedTrackReader(session, track).poll(now);
    if (state == State::absent) continue;
    listings.push_back({std::move(session), std::move(track), state});
  }
  return listings;
}

}  // namespace pypac
