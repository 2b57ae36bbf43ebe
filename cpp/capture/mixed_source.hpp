// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "capture/channel_weights.hpp"
#include "core/time.hpp"
#include "plugin/source.hpp"
#include "plugin/source_feed.hpp"
#include "timeline/aligner.hpp"
#include "timeline/clock_domain.hpp"
#include "timeline/gap_sink.hpp"
#include "timeline/packet.hpp"

namespace pypac {

/// What clients bring: interleaved left and right.
inline constexpr std::uint32_t kTapChannels = 2;

/// One place of a MixedSource where one capture client's packets come in.
///
/// It has a clock of its own: clients run on threads, and may run on clocks, of their own. One
/// client at a time; the next one must not begin before the last push() of this one has returned.
class Tap final : private GapSink {
 public:
  /// [control-thread] `domain` is the clock that stamps its packets, shown until another one does.
  Tap(std::uint32_t channels, std::uint32_t capacity_frames, std::shared_ptr<ClockDomain> domain);

  /// [capture-thread] One packet of the client, in order. `interleaved` are frames of kTapChannels;
  /// nullptr: silence. Packets before the session's start only teach the clock.
  void push(const ClockReading& reading, const float* interleaved) noexcept;

  /// [capture-thread] The same for a client that stamps by itself and writes planar frames in
  /// place, as SourceFeed says: begin(), and if it gives room, end(). nullptr: nobody wants the
  /// packet.
  [[nodiscard]] float* begin(std::uint32_t frames) noexcept;
  /// [capture-thread] Hands the packet over; without a stamp it is dropped. `domain` is the clock
  /// of the stamp, which must live as long as the one that the tap was made with.
  void end(const Stamp* stamp, const ClockDomain& domain) noexcept;
  /// [capture-thread] The client's clock has gone on by a packet, and it gave none.
  void skip() noexcept { feed_.skip_packet(); }

  /// [control-thread] No packet is taken once this has returned.
  void stop() noexcept;

  [[nodiscard]] std::uint32_t channels() const noexcept { return feed_.channels(); }

  /// [any-thread, realtime-safe] Packets pushed since the start, and the host time of the last.
  [[nodiscard]] std::uint64_t packets() const noexcept {
    return packets_.load(std::memory_order_relaxed);
  }

 private:
  friend class MixedSource;

  static constexpr std::size_t kMaxGaps = 64;
  static constexpr std::uint32_t kMaxPiece = 1024;

  /// Silence in what the tap plays: [begin, end).
  struct Gap {
    Frames begin = 0;
    Frames end = 0;
    Cause cause{};
  };
  /// What the tap has from some frame on, until `end`.
  struct Stretch {
    Frames end = 0;
    bool silent = false;
    Cause cause{};
  };

  void start(HostTime origin) noexcept;
  void incident(Cause cause, Frames begin, Frames frames) noexcept override;
  void play(Frames begin, std::uint32_t frames, Cause absence, GapSink& gaps) noexcept;
  [[nodiscard]] Stretch stretch_at(Frames position, Frames end) const noexcept;

  std::array<ChannelWeights, kTapChannels> weights_;
  std::shared_ptr<ClockDomain> domain_;
  std::atomic<const ClockDomain*> clock_;  // that stamped last; capture thread
  SourceFeed feed_;
  std::atomic<bool> pushing_{false};  // control thread: between start() and stop()
  std::atomic<bool> busy_{false};     // capture thread: a packet is being written
  std::atomic<std::uint64_t> packets_{0};

  // The rest is the pump's.
  Aligner aligner_;
  std::vector<float> samples_;  // room for what is put together
  std::vector<float*> room_;
  bool begun_ = false;
  Aligner::Taken taken_;
  std::array<Gap, kMaxGaps> gaps_;  // the first gap_count_, in order
  std::size_t gap_count_ = 0;
  GapSink* told_ = nullptr;  // during play()
};

/// A source that is heard through any number of taps: one for each process tree that it takes.
///
/// Each tap is brought to the timeline by its own clock, then they are added up; a single one is
/// shown where it lies. A frame is captured where any tap has it; where one of several taps lost
/// frames, the ledger is told beside the sound of the others.
///
/// Example: taps with 1, 1, 1 and 2, -, 2 (the middle lost) give 3, 1, 3, and one lost frame.
class MixedSource final : public Source {
 public:
  static constexpr std::size_t kMaxTaps = 64;

  /// [control-thread]
  MixedSource(std::uint32_t channels, std::uint32_t capacity_frames, std::uint32_t timeline_rate);
  ~MixedSource() override;

  void start(HostTime origin) override;
  void stop() noexcept override;
  [[nodiscard]] Taken read(const Wanted& wanted, GapSink& gaps) noexcept override;
  [[nodiscard]] std::uint32_t channels() const noexcept override { return channels_; }
  [[nodiscard]] const ClockDomain& clock() const noexcept override {
    return *shown_clock_.load(std::memory_order_acquire);
  }
  [[nodiscard]] Cause absence() const noexcept override {
    return shown_absence_.load(std::memory_order_relaxed);
  }

  /// [control-thread] Another tap, also while running; nullptr: there are kMaxTaps. Taps are used
  /// again, not removed. Without a `domain` it has a clock of its own.
  [[nodiscard]] std::shared_ptr<Tap> add_tap(std::shared_ptr<ClockDomain> domain = {});

  /// [control-thread] Why nothing comes, if nothing comes. `underrun` is `stalled` where no tap's
  /// clock goes on, but for what is `restarting`: a program's stream that has just stopped or begun
  /// may have its device stand still for some cycles.
  void set_absence(Cause cause, bool restarting = false) noexcept {
    absence_.store(cause, std::memory_order_relaxed);
    restarting_.store(restarting, std::memory_order_relaxed);
  }

  /// [any-thread, realtime-safe] Packets that all taps were given since the start.
  [[nodiscard]] std::uint64_t packets() const noexcept;

 private:
  [[nodiscard]] std::uint32_t read_piece(const Wanted& piece, GapSink& gaps) noexcept;
  void play_taps(const Wanted& piece, Cause absence, GapSink& gaps) noexcept;
  [[nodiscard]] const float* const* only_tap(const Wanted& piece) const noexcept;
  void add_up(const Wanted& piece) const noexcept;
  [[nodiscard]] Cause cause_of_hole(Cause found, bool ends) noexcept;
  [[nodiscard]] Cause absence_now(std::size_t taps) const noexcept;

  const std::uint32_t channels_;
  const std::uint32_t capacity_frames_;
  const std::uint32_t timeline_rate_;

  std::mutex control_;  // the control threads'
  bool running_ = false;
  HostTime origin_{};

  std::array<std::shared_ptr<Tap>, kMaxTaps> taps_;  // written before it is counted
  std::atomic<std::size_t> tap_count_{0};
  std::atomic<Cause> absence_{Cause::not_running};
  std::atomic<bool> restarting_{false};
  const std::shared_ptr<ClockDomain> no_clock_;  // shown while there is no tap
  std::atomic<const ClockDomain*> shown_clock_;

  std::atomic<Cause> shown_absence_{Cause::not_running};  // pump writes

  // The rest is the pump's.
  std::vector<float*> piece_room_;
  bool heard_ = false;    // there was a frame
  bool in_hole_ = false;  // the last frame was none
  Cause hole_cause_{};    // as the last hole was told
};

}  // namespace pypac
