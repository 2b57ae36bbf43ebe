// SPDX-License-Identifier: MIT
#pragma once

#include "timeline/packet.hpp"

namespace pypac {

/// Hears what became of a stretch of the timeline. Called on the pump; must be realtime-safe.
class GapSink {
 public:
  /// Silence was put at [begin, begin + frames), or, where `cause` is overlap, late or restamped,
  /// that many frames were dropped or moved there.
  virtual void incident(Cause cause, Frames begin, Frames frames) noexcept = 0;

 protected:
  ~GapSink() = default;
};

}  // namespace pypac
