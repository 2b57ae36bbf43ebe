// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace pypac {

/// Planar audio of one block: `channels` pointers to `frames` samples each. Valid until process()
/// returns.
struct AudioBlock {
  float* const* channels = nullptr;
  std::uint32_t channel_count = 0;
  std::uint32_t frames = 0;
};

/// One link of a track's filter chain.
///
/// Legal order: activate, then any number of process and reset, then deactivate; again from there.
class Filter {
 public:
  virtual ~Filter() = default;

  /// [control-thread & inactive] May allocate. Blocks are at most `max_frames` long.
  virtual void activate(std::uint32_t sample_rate, std::uint32_t channels,
                        std::uint32_t max_frames) = 0;

  /// [control-thread & active]
  virtual void deactivate() noexcept = 0;

  /// [pump & active] In place. Never allocates, locks or waits.
  virtual void process(const AudioBlock& block) noexcept = 0;

  /// [pump & active] Forgets the past: the next block follows a break.
  virtual void reset() noexcept {}

  /// [any-thread, realtime-safe] By how many frames the output lags the input. Constant while
  /// active.
  [[nodiscard]] virtual std::uint32_t latency_frames() const noexcept { return 0; }

  /// [control-thread] Sets a parameter, heard within a block. Throws Failure(invalid_argument).
  virtual void set_parameter(const char* name, double value) = 0;
};

}  // namespace pypac
