// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/time.hpp"
#include "plugin/audio_block.hpp"
#include "plugin/descriptor.hpp"

namespace pypac {

/// What a filter is made ready for.
struct Activation {
  std::uint32_t sample_rate = 48000;
  std::uint32_t channels = 2;
  std::uint32_t max_frames = 480;  // blocks are at most so long
  std::span<const double> values;  // of all parameters, in the order of info().params
};

/// A parameter's new value, from this block on. The filter glides to it; in its first block, before
/// which nothing was heard, it begins with it.
struct ParamChange {
  std::size_t index = 0;  // in info().params
  double value = 0;       // as as_number() says
};

/// One block, and all that belongs to it. Valid until process() returns.
struct ProcessContext {
  AudioBlock audio;                      // in place; comes in with no NaN or infinity
  std::span<const BlockView> keys;       // of the tracks that steer it, aligned with `audio`
  std::span<const ParamChange> changes;  // at the block's beginning
  Frames position = 0;                   // the timeline frame of the block's first
};

/// One link of a track's filter chain.
///
/// Legal order: activate, then any number of process and reset, then deactivate; again from there.
/// FilterSlot is the host that keeps it so.
class Filter {
 public:
  virtual ~Filter() = default;

  /// [any-thread] What kind it is and which parameters it has. Lives as long as the program.
  [[nodiscard]] virtual const PluginInfo& info() const noexcept = 0;

  /// [control-thread & inactive] May allocate. Throws Failure(invalid_argument) where these values
  /// do not go together.
  virtual void activate(const Activation& activation) = 0;

  /// [control-thread & active]
  virtual void deactivate() noexcept {}

  /// [pump & active] In place. Never allocates, locks or waits. Blocks of any length up to
  /// max_frames give the same frames.
  virtual void process(const ProcessContext& context) noexcept = 0;

  /// [pump & active] Several filters of this kind at once, this one among them, each with its own
  /// context; all blocks have the same number of frames. Gives what process() of each would give,
  /// bit for bit: kinds that compute faster side by side have their own.
  virtual void process_bank(std::span<Filter* const> bank,
                            std::span<const ProcessContext> contexts) noexcept {
    for (std::size_t i = 0; i < bank.size(); ++i) bank[i]->process(contexts[i]);
  }

  /// [pump & active] Forgets the past: the next block follows a break, and what changes with it
  /// holds from its first frame on.
  virtual void reset() noexcept {}

  /// [any-thread, realtime-safe] By how many frames the output lags the input. Constant while
  /// active.
  [[nodiscard]] virtual std::uint32_t latency_frames() const noexcept { return 0; }

  /// [pump] How many frames of the last block it had no time for, and let pass: for the ledger.
  [[nodiscard]] virtual std::uint32_t late_frames() const noexcept { return 0; }

  /// [pump] False: it cannot give yet what it should, because what it needs has not started. A
  /// chain that takes another one's place waits for it.
  [[nodiscard]] virtual bool ready() const noexcept { return true; }

  /// [any-thread, realtime-safe] By how many dB it made its last block quieter at most, 0 or more;
  /// of kinds whose info().reduces.
  [[nodiscard]] virtual float reduction_db() const noexcept { return 0; }

  /// [any-thread, realtime-safe] For how many frames it may sound after its input has become
  /// silent. Constant while active.
  [[nodiscard]] virtual std::uint32_t tail_frames() const noexcept { return 0; }
};

}  // namespace pypac
