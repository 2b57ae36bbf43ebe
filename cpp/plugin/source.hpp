// SPDX-License-Identifier: MIT
#pragma once

#include "core/time.hpp"

namespace pypac {

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

  /// [control-thread] No packet is pushed once this has returned.
  virtual void stop() noexcept = 0;

  /// [pump]
  virtual void poll(HostTime until) noexcept { static_cast<void>(until); }

  /// [any-thread] Lives as long as the source.
  [[nodiscard]] virtual SourceFeed& feed() noexcept = 0;
};

}  // namespace pypac
