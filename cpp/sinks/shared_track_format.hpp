// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace pypac::shared_track {

/// How a shared track lies in memory: version 1, described for others in docs/shared-track.md.
///
/// One page of header, then `capacity_frames` frames of interleaved float32. Frame n of the
/// timeline lies at place n modulo the capacity. All numbers are in the machine's own byte order,
/// which is little-endian wherever this runs.
inline constexpr std::array<char, 8> kMagic = {'P', 'Y', 'P', 'A', 'C', 'T', 'R', 'K'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint32_t kHeaderBytes = 4096;
inline constexpr std::size_t kNameBytes = 256;

// What a reader takes for possible.
inline constexpr std::uint32_t kMaxChannels = 8;
inline constexpr std::uint32_t kMinSampleRate = 8'000;
inline constexpr std::uint32_t kMaxSampleRate = 384'000;
inline constexpr std::uint32_t kMaxBlockFrames = 1U << 16;
inline constexpr std::uint32_t kMaxCapacityFrames = 1U << 24;
/// Three years, so that every frame's host time is a number.
inline constexpr std::int64_t kMaxSeconds = 100'000'000;
inline constexpr std::int64_t kMaxHostTime = std::int64_t{1} << 62;

using SessionId = std::array<std::uint8_t, 16>;

/// Constant from when the file appears. Names are UTF-8 with zeros behind them.
struct Header {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t header_bytes;  // where the frames begin
  SessionId session_id;        // random: another one is another timeline
  std::uint32_t sample_rate;
  std::uint32_t channels;
  std::uint32_t capacity_frames;
  std::uint32_t block_frames;    // what is written at once, at most
  std::uint32_t latency_frames;  // how long after it was heard a frame is written, about
  std::uint32_t unused;
  std::int64_t writer_pid;
  std::array<char, kNameBytes> session_name;
  std::array<char, kNameBytes> track_name;
};

enum class WriterState : std::uint32_t { starting = 0, running = 1, ended = 2 };

/// What changes. `Value` is std::atomic<T> for the writer and T for a reader's copy.
template <template <typename> typename Value>
struct Positions {
  Value<std::int64_t> reserved;   // frames below reserved - capacity are or will be overwritten
  Value<std::int64_t> written;    // frames below are there; 0: none was written yet
  Value<std::int64_t> first;      // the first frame that was ever written
  Value<std::int64_t> origin;     // host time of frame 0, in ns, from `running` on
  Value<std::int64_t> heartbeat;  // host time of the last sign of life, in ns
  Value<WriterState> state;
  Value<std::uint32_t> unused;
};

template <typename T>
using Plain = T;
using LivePositions = Positions<std::atomic>;
using PositionsCopy = Positions<Plain>;

/// A cache line of their own.
inline constexpr std::size_t kPositionsOffset = 1024;

static_assert(std::is_trivially_copyable_v<Header> && std::is_standard_layout_v<Header>);
static_assert(offsetof(Header, version) == 8);
static_assert(offsetof(Header, header_bytes) == 12);
static_assert(offsetof(Header, session_id) == 16);
static_assert(offsetof(Header, sample_rate) == 32);
static_assert(offsetof(Header, channels) == 36);
static_assert(offsetof(Header, capacity_frames) == 40);
static_assert(offsetof(Header, block_frames) == 44);
static_assert(offsetof(Header, latency_frames) == 48);
static_assert(offsetof(Header, writer_pid) == 56);
static_assert(offsetof(Header, session_name) == 64);
static_assert(offsetof(Header, track_name) == 320);
static_assert(sizeof(Header) == 576 && sizeof(Header) <= kPositionsOffset);

static_assert(std::atomic<std::int64_t>::is_always_lock_free);
static_assert(std::atomic<WriterState>::is_always_lock_free);
static_assert(std::is_standard_layout_v<LivePositions>);
static_assert(offsetof(LivePositions, written) == 8);
static_assert(offsetof(LivePositions, first) == 16);
static_assert(offsetof(LivePositions, origin) == 24);
static_assert(offsetof(LivePositions, heartbeat) == 32);
static_assert(offsetof(LivePositions, state) == 40);
static_assert(sizeof(LivePositions) == 48 && sizeof(PositionsCopy) == 48);
static_assert(kPositionsOffset + sizeof(LivePositions) <= kHeaderBytes);

}  // namespace pypac::shared_track
