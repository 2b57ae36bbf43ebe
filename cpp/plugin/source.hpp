// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "core/time.hpp"
#include "timeline/gap_sink.hpp"
#include "timeline/packet.hpp"

namespace pypac {

class ClockDomain;

/// Brings frames from the outside to the timeline.
class Source {
 public:
  /// Blocks are at most so long: 10 ms at the highest rate.
  static constexpr std::uint32_t kMaxBlock = 2048;

  /// A block that is wanted.
  struct Wanted {
    Frames begin = 0;
    std::uint32_t frames = 0;      // at most kMaxBlock
    HostTime until{};              // for a source without a thread of its own: produce up to then
    float* const* room = nullptr;  // a pointer a channel, `frames` samples each
  };
  /// What there is of it. Where nothing came it is silence.
  struct Taken {
    std::uint32_t captured = 0;              // how many of its frames came from the source
    const float* const* channels = nullptr;  // valid until the next read(); `room`, or elsewhere
  };

  virtual ~Source() = default;

  /// [control-thread] The session starts: frame 0 is heard at `origin`.
  virtual void start(HostTime origin) = 0;

  /// [control-thread] Instead of start(), where the session runs already: nothing before the
  /// timeline's frame `first` is wanted.
  virtual void join(HostTime origin, Frames first) {
    static_cast<void>(first);
    start(origin);
  }

  /// [control-thread] Nothing more is taken from the outside once this has returned.
  virtual void stop() noexcept = 0;

  /// [pump] Gives a block. The first may begin anywhere; each other begins where the last one
  /// ended. Tells `gaps` of each frame that is not captured, once.
  [[nodiscard]] virtual Taken read(const Wanted& wanted, GapSink& gaps) noexcept = 0;

  [[nodiscard]] virtual std::uint32_t channels() const noexcept = 0;

  /// [any-thread, realtime-safe] The clock to show for this source. Lives as long as the source.
  [[nodiscard]] virtual const ClockDomain& clock() const noexcept = 0;

  /// [any-thread, realtime-safe] Why nothing comes, if nothing comes.
  [[nodiscard]] virtual Cause absence() const noexcept = 0;
};

}  // namespace pypac
