// SPDX-License-Identifier: MIT
#include "capture/capture_views.hpp"

namespace pypac {

Cause absence_cause(SourceState state) noexcept {
  switch (state) {
    case SourceState::not_running:
      return Cause::not_running;
    case SourceState::no_stream:
      return Cause::no_stream;
    case SourceState::paused:
      return Cause::paused;
    case SourceState::starting:
      return Cause::starting;
    case SourceState::refused:
      return Cause::refused;
    case SourceState::backend_lost:
      return Cause::backend_lost;
    case SourceState::capturing:
    case SourceState::muted:
    case SourceState::frozen:
    case SourceState::blind_tap:
    case SourceState::stalled:
      break;
  }
  return Cause::stalled;
}

}  // namespace pypac
