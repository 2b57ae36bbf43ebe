// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "core/time.hpp"
#include "plugin/fed_source.hpp"

namespace pypac {

/// What a synthetic source plays, and how its clock misbehaves.
struct SyntheticSignal {
  enum class Kind { tone, noise, numbered, silence };
  /// Every packet that reaches into it is left out. In seconds of the source's own clock.
  struct DropOut {
    double at_s;
    double length_ms;
  };

  /// numbered: every sample of frame n is (n mod 2^24) / 2^24, exact in float: frames can be told
  /// apart wherever they end up.
  Kind kind = Kind::tone;
  double frequency_hz = 440;
  double level_dbfs = -12;  // peak of the tone or the noise
  std::uint32_t seed = 0;   // of noise and jitter
  double skew_ppm = 0;      // how much faster than host time its clock runs
  double jitter_ms = 0;     // host-time stamps are off by up to this, either way
  std::vector<DropOut> dropouts;
  std::uint32_t quantum = 480;  // frames a packet
};

/// A source whose frames are known in advance. Made in produce(), so that it runs in real time and
/// offline alike.
class SyntheticSource final : public FedSource {
 public:
  /// [control-thread]
  SyntheticSource(const SyntheticSignal& signal, std::uint32_t sample_rate, std::uint32_t channels,
                  std::uint32_t capacity_frames);

  void start(HostTime origin) override { join(origin, 0); }
  void join(HostTime origin, Frames first) override;
  void stop() noexcept override {}
  void produce(HostTime until) noexcept override;

 private:
  SyntheticSource(const SyntheticSignal& signal, std::uint32_t sample_rate, std::uint32_t channels,
                  std::uint32_t capacity_frames, std::shared_ptr<ClockDomain> domain);

  [[nodiscard]] double seconds_of(std::int64_t position) const noexcept;
  [[nodiscard]] bool dropped(std::int64_t begin, std::int64_t end) const noexcept;
  void generate(float* samples) noexcept;

  SyntheticSignal signal_;
  std::uint32_t sample_rate_;
  double device_rate_;  // frames per second of host time
  float amplitude_;
  std::shared_ptr<ClockDomain> domain_;
  HostTime origin_{};
  std::int64_t position_ = 0;  // pump only
  std::minstd_rand random_;    // pump only
};

}  // namespace pypac
