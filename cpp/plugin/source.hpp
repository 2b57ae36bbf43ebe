// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "core/time.hpp"
#include "timeline/gap_sink.hpp"

namespace pypac {

class ClockDomain;
class SourceFeed;

/// Brings frames from the outside into a feed.
///
/// A source with a thread of its own (an audio system's callback) pushes from there and leaves
/// poll() empty; one without (synthetic, offline) produces in poll(), which the pump calls before
/// each block with the host time up to which frames are wanted.
class Source {
 public:
  virtual ~Source() = default;

  /// [control-thread] The session starts: frame 0 is heard at `origin`.
  virtual void start(HostTime origin) = 0;

  /// [control-thread] Instead of start(), where the session runs already: nothing before the
  /// timeline's frame `first` is wanted.
  virtual void join(HostTime origin, Frames first) {
    static_cast<void>(first);
    start(origin);
  }

  /// [control-thread] No packet is pushed once this has returned.
  virtual void stop() noexcept = 0;

  /// [pump]
  virtual void poll(HostTime until) noexcept { static_cast<void>(until); }

  /// [pump] For a source that mixes what comes in at several places: the block [begin, begin +
  /// frames) is about to be taken from feed(). Tells `gaps` what that feed does not show.
  virtual void gather(Frames begin, std::uint32_t frames, GapSink& gaps) noexcept {
    static_cast<void>(begin);
    static_cast<void>(frames);
    static_cast<void>(gaps);
  }

  /// [any-thread, realtime-safe] The clock to show for this source. Lives as long as the source.
  [[nodiscard]] virtual const ClockDomain& clock() noexcept;

  /// [any-thread] Lives as long as the source.
  [[nodiscard]] virtual SourceFeed& feed() noexcept = 0;
};

}  // namespace pypac
