// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "dsp/loudness.hpp"
#include "dsp/sliding_sum.hpp"
#include "dsp/true_peak.hpp"
#include "engine/loudness_histogram.hpp"
#include "plugin/audio_block.hpp"

namespace pypac {

/// What a LoudnessMeter shows. Peaks are linear, 1 is 0 dBTP; loudness is in LUFS, minus infinity
/// where there is none yet.
struct LoudnessValues {
  static constexpr float kNone = -std::numeric_limits<float>::infinity();

  float true_peak = 0;       // rises at once, falls as Meter's
  float max_true_peak = 0;   // since the start or restart
  float momentary = kNone;   // of the last 400 ms
  float short_term = kNone;  // of the last 3 s
  float integrated = kNone;  // since the start or restart, gated
  float range = 0;           // LU, the same
  float max_momentary = kNone;
  float max_short_term = kNone;
};

/// Loudness and true peak of a track by ITU-R BS.1770-5 and EBU R 128 (Tech 3341, 3342), in memory
/// that does not grow. Mono counts as one channel.
///
/// Energies are added up over steps of 10 ms, so that the highest momentary loudness is seen where
/// it is; gating blocks and what counts for the range begin every 100 ms.
class LoudnessMeter {
 public:
  /// A meter, and what it reads.
  struct Input {
    LoudnessMeter* meter = nullptr;
    BlockView block;
  };
  /// How many channels process() takes at once.
  static constexpr std::size_t kMostLanes = 64;

  /// [control-thread]
  LoudnessMeter(std::uint32_t sample_rate, std::uint32_t channels, std::uint32_t max_frames);
  LoudnessMeter(const LoudnessMeter&) = delete;
  LoudnessMeter& operator=(const LoudnessMeter&) = delete;

  /// [pump] Meters of one sample rate, side by side: each shows what it would show alone, bit for
  /// bit. They have kMostLanes channels together at most.
  static void process(std::span<const Input> inputs, std::uint32_t frames) noexcept;

  [[nodiscard]] std::size_t channels() const noexcept { return lanes_.size(); }
  /// [any-thread, realtime-safe]
  [[nodiscard]] LoudnessValues values() const noexcept;
  /// [any-thread, realtime-safe] From the next block on, integrated loudness, range and maxima
  /// begin anew.
  void restart() noexcept { restart_.store(true, std::memory_order_relaxed); }

 private:
  using Energy = std::atomic<float>;

  void begin(const BlockView& block, std::uint32_t frames) noexcept;
  void find_true_peak(const BlockView& block, std::uint32_t frames) noexcept;
  void end_step() noexcept;
  void end_hop() noexcept;

  const KWeighting weighting_;
  const std::uint32_t sample_rate_;
  const std::uint32_t step_frames_;
  std::vector<double> weights_;      // of the channels
  std::vector<LoudnessLane> lanes_;  // pump only, as all below but what is published
  std::vector<TruePeak> true_peaks_;
  std::uint32_t frames_of_fall_ = 0;  // the block length that the fall is for
  float fall_ = 0;
  std::uint32_t frames_left_;  // of the step
  std::uint32_t steps_left_;   // until the next gating block begins
  std::uint64_t steps_ = 0;    // since the start or restart
  SlidingSum momentary_;
  SlidingSum short_term_;
  LoudnessHistogram blocks_;
  LoudnessHistogram windows_;
  std::atomic<bool> restart_{false};
  Energy momentary_energy_{0};  // the pump writes, others read
  Energy short_term_energy_{0};
  Energy integrated_energy_{0};
  Energy max_momentary_energy_{0};
  Energy max_short_term_energy_{0};
  std::atomic<float> range_{0};
  std::atomic<float> true_peak_{0};
  std::atomic<float> max_true_peak_{0};
};

}  // namespace pypac
