// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/time.hpp"
#include "os/shared_file.hpp"
#include "sinks/shared_track_format.hpp"

namespace pypac {

/// What lies under a shared track's name.
enum class SharedTrackState {
  absent,        // nothing: no such session runs
  incompatible,  // a version that this reader does not know
  damaged,       // what cannot be: no reader's business what it holds
  starting,      // there, but its session has not begun
  running,       // frames come
  ended,         // the session is over; what is left can be read
  gone,          // the writer gives no sign of life
};

/// [any-thread] One word: the state's own.
[[nodiscard]] const char* name_of(SharedTrackState state) noexcept;

/// What a shared track is, for as long as one session writes it.
struct SharedTrackInfo {
  shared_track::SessionId session_id{};
  TimelineAnchor anchor;  // origin: from the state `running` on
  std::uint32_t channels = 0;
  std::uint32_t capacity_frames = 0;
  std::uint32_t block_frames = 0;
  std::uint32_t latency_frames = 0;
  Frames first_frame = 0;
  std::int64_t writer_pid = 0;
};

/// Reads one track of a running session, in this or another process. Any number of readers can.
///
/// It never blocks and takes nothing that it reads for granted: memory that is corrupt, cut off or
/// changes meanwhile gives no frames, or wrong sound, and nothing else. After the constructor it
/// allocates nothing. For one thread at a time.
///
///     SharedTrackReader reader("stream", "game");
///     for (;;) {                                   // every few milliseconds
///       reader.poll(clock.now());
///       while (auto read = reader.read(channels, 1024); read.frames > 0)
///         play(channels, read.frames, reader.info().anchor.host_time_of(read.start));
///     }
class SharedTrackReader {
 public:
  /// How many frames one read() gives at most.
  static constexpr std::uint32_t kMostFrames = 4096;

  /// Frames [start, start + frames) were copied; `lost` frames before them were overwritten before
  /// they were read.
  struct Read {
    Frames start = 0;
    std::uint32_t frames = 0;
    Frames lost = 0;
  };

  /// Where a read puts the frames before it separates their channels. Readers that one thread reads
  /// with can share one: then it stays in the processor's cache.
  struct Room {
    std::array<float, std::size_t{kMostFrames} * shared_track::kMaxChannels> interleaved;
  };

  /// [control-thread] Looks nowhere yet.
  SharedTrackReader(const std::string& session, const std::string& track,
                    std::shared_ptr<Room> room = std::make_shared<Room>());
  /// [control-thread] The same for bytes from elsewhere.
  SharedTrackReader(std::string session, std::string track, std::unique_ptr<SharedBytes> bytes,
                    std::shared_ptr<Room> room = std::make_shared<Room>());

  /// [reader] Looks what is there, attaches to what has come, and lets go of what was replaced.
  /// Cheap enough for every few milliseconds; looks for files at most every 200 ms.
  SharedTrackState poll(HostTime now) noexcept;

  /// [reader] What the last poll() or read() found.
  [[nodiscard]] SharedTrackState state() const noexcept { return state_; }

  /// [reader] Of the track that is attached: from `starting` to `gone`. It has 1 to 8 channels.
  [[nodiscard]] const SharedTrackInfo& info() const noexcept { return info_; }

  /// [reader] Where the next read() of the attached track begins, rather than at the newest block
  /// (or at the first frame, where the reader was attached before there was any). A reader that was
  /// overrun goes on at the newest block.
  void start_at(Frames frame) noexcept { next_ = frame < 0 ? 0 : frame; }

  /// [reader] Copies the next frames, at most `max_frames`, to `planar[channel]`; info().channels
  /// of them. Samples that are no number become 0. No frames: nothing new is there.
  [[nodiscard]] Read read(float* const* planar, std::uint32_t max_frames) noexcept;

 private:
  static constexpr Frames kNotBegun = -1;

  [[nodiscard]] bool attach() noexcept;
  void detach(SharedTrackState why) noexcept;
  [[nodiscard]] bool is_valid(const shared_track::Header& header) const noexcept;
  /// A single copy, which may be of no moment at all. False: they are cut off.
  [[nodiscard]] bool copy_positions(shared_track::PositionsCopy& positions) noexcept;
  /// False: they changed all the time.
  [[nodiscard]] bool read_positions(shared_track::PositionsCopy& positions) noexcept;
  [[nodiscard]] bool is_valid(const shared_track::PositionsCopy& positions) const noexcept;
  [[nodiscard]] SharedTrackState look_at_positions(HostTime now) noexcept;
  [[nodiscard]] Frames oldest(const shared_track::PositionsCopy& positions) const noexcept;
  [[nodiscard]] Frames newest_block(const shared_track::PositionsCopy& positions) const noexcept;
  [[nodiscard]] bool copy_frames(Frames start, std::uint32_t frames) noexcept;
  /// True: there were new frames, nothing was wrong, and nothing changed meanwhile.
  [[nodiscard]] bool read_quickly(float* const* planar, std::uint32_t max_frames,
                                  Read& result) noexcept;
  /// Gives out what was copied.
  void accept(float* const* planar, std::uint32_t frames, Read& result) noexcept;
  void separate(float* const* planar, std::uint32_t frames) const noexcept;

  std::string session_;
  std::string track_;
  std::unique_ptr<SharedBytes> bytes_;
  std::shared_ptr<Room> room_;
  shared_track::Header header_{};  // as validated, while attached
  SharedTrackInfo info_;
  SharedTrackState state_ = SharedTrackState::absent;
  bool attached_ = false;
  bool leaving_ = false;     // it was replaced, and has frames left to read
  HostTime next_look_{};     // for files
  Frames next_ = kNotBegun;  // what is read next
  Frames last_written_ = 0;  // never goes back
};

/// A shared track that is there.
struct SharedTrackListing {
  std::string session;
  std::string track;
  SharedTrackState state;
};

/// [control-thread] All shared tracks of this user, sorted by session and track; at most `limit`.
[[nodiscard]] std::vector<SharedTrackListing> list_shared_tracks(HostTime now,
                                                                 std::size_t limit = 256);

}  // namespace pypac
