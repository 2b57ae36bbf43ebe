// SPDX-License-Identifier: MIT
#include "sound.hpp"

#include <cmath>
#include <numbers>

#include "windows_headers.hpp"

namespace fake {

std::int64_t DeviceClock::frame_at(std::int64_t qpc) const {
  return static_cast<std::int64_t>(std::floor(static_cast<double>(qpc) * 1e-7 * rate_));
}

std::int64_t DeviceClock::time_of(std::int64_t frame) const {
  return std::llround(static_cast<double>(frame) / rate_ * 1e7);
}

std::int64_t qpc_100ns() {
  LARGE_INTEGER ticks{};
  LARGE_INTEGER frequency{};
  QueryPerformanceCounter(&ticks);
  QueryPerformanceFrequency(&frequency);
  const std::int64_t whole = ticks.QuadPart / frequency.QuadPart;
  const std::int64_t rest = ticks.QuadPart % frequency.QuadPart;
  return whole * 10'000'000 + rest * 10'000'000 / frequency.QuadPart;
}

void add_voices(const std::vector<Voice>& voices, const DeviceClock& clock,
                std::int64_t first_frame, std::uint32_t frames, std::uint32_t channels,
                float* out) {
  for (const Voice& voice : voices) {
    for (std::uint32_t i = 0; i < frames; ++i) {
      const std::int64_t frame = first_frame + i;
      float sample = 0;
      if (voice.content == Voice::Content::numbers) {
        sample = static_cast<float>(frame % kNumbers) / static_cast<float>(kNumbers);
      } else {
        const double cycles = voice.tone_hz * (static_cast<double>(frame) / clock.rate());
        const double phase = 2 * std::numbers::pi * (cycles - std::floor(cycles));
        sample = static_cast<float>(voice.gain * std::sin(phase));
      }
      for (std::uint32_t c = 0; c < channels; ++c) {
        const bool negated = voice.content == Voice::Content::numbers && c % 2 == 1;
        out[static_cast<std::size_t>(i) * channels + c] += negated ? -sample : sample;
      }
    }
  }
}

}  // namespace fake
