// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

namespace fake {

/// One program's sound in a packet.
struct Voice {
  enum class Content : std::uint8_t { tone, numbers };
  Content content = Content::tone;
  double tone_hz = 0;
  double gain = 0;  // amplitude of a tone; numbers are never scaled
};

/// Frames of a device whose clock runs at `rate` frames a second of QPC. Frame 0 is QPC's 0:
/// devices of the same rate share their frames, whenever they were started.
class DeviceClock {
 public:
  explicit DeviceClock(double rate) : rate_(rate) {}
  [[nodiscard]] double rate() const { return rate_; }
  [[nodiscard]] std::int64_t frame_at(std::int64_t qpc_100ns) const;
  /// When a frame begins, in 100 ns.
  [[nodiscard]] std::int64_t time_of(std::int64_t frame) const;

 private:
  double rate_;
};

/// QPC now, in 100 ns.
[[nodiscard]] std::int64_t qpc_100ns();

inline constexpr std::int64_t kNumbers = 1 << 24;  // what a float counts without a gap

/// Adds the voices into interleaved float frames; odd channels get numbers negated, as the position
/// player of tests/players. A tone's phase is QPC's: it is 0 where QPC is 0, on every device.
void add_voices(const std::vector<Voice>& voices, const DeviceClock& clock,
                std::int64_t first_frame, std::uint32_t frames, std::uint32_t channels, float* out);

}  // namespace fake
