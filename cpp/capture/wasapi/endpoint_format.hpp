// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace pypac {

/// In which format Windows runs a default output or input.
struct EndpointFormat {
  bool input = false;
  std::uint32_t rate = 0;
  std::uint32_t channels = 0;
  std::uint32_t bits = 0;
  std::int64_t period_100ns = 0;        // between two turns of the audio engine
  std::int64_t least_period_100ns = 0;  // of which the device is capable
  long error = 0;                       // HRESULT; 0: all of the above is known
  // Of inputs: why it cannot be opened, with the HRESULT and the build of Windows, and what the
  // user can do about it in a sentence. Empty: it can; nothing is known to do.
  std::string refusal{};
  std::string remedy{};
};

/// [control-thread] Of the default output and the default input, so far as there are any. The input
/// is opened for a moment, and not started. Throws Failure(backend_unavailable) where the audio
/// service does not tell them in time.
[[nodiscard]] std::vector<EndpointFormat> default_endpoint_formats(
    std::chrono::milliseconds timeout);

}  // namespace pypac
