// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/glide.hpp"
#include "filters/bank_filter.hpp"
#include "plugin/filter.hpp"

namespace pypac {

/// Turns a track down before a peak comes that would be over the ceiling, all channels alike.
///
/// The reduction (1 - gain) that each frame needs is found a look-ahead before the frame is heard.
/// Its maximum over the look-ahead, which decays exponentially, goes through two or three running
/// means that are together as long: so the gain falls smoothly, arrives with the peak, and is never
/// more than what any frame needs. Peaks are those of the waveform between the samples too
/// (dBTP), up to 0.1 dB, where `true_peak` is on, and those of the samples, exactly, where not.
///
/// Float32 throughout: nothing but the reduction's decay goes on from frame to frame, and that has
/// no sums.
class Limiter final : public BankFilter {
 public:
  [[nodiscard]] const PluginInfo& info() const noexcept override;
  void activate(const Activation& activation) override;
  void process_bank(std::span<Filter* const> bank,
                    std::span<const ProcessContext> contexts) noexcept override;
  void reset() noexcept override;
  [[nodiscard]] std::uint32_t latency_frames() const noexcept override { return latency_; }
  [[nodiscard]] std::uint32_t tail_frames() const noexcept override { return latency_; }
  [[nodiscard]] float reduction_db() const noexcept override {
    return reduction_db_.load(std::memory_order_relaxed);
  }

 private:
  /// False: nothing is reduced in this block, nor would be by what came before.
  [[nodiscard]] bool look_ahead(const ProcessContext& context) noexcept;
  void reduce(const AudioBlock& block, bool reduces) noexcept;

  double sample_rate_ = 48000;
  bool true_peak_ = true;
  std::uint32_t latency_ = 0;
  std::size_t before_ = 0;            // frames that are kept of the audio
  std::size_t hold_ = 1;              // frames of the running maximum
  std::array<std::size_t, 3> means_;  // frames of the running means: powers of two
  std::size_t mean_before_ = 0;       // frames that they reach back to
  std::optional<Glide> ceiling_;      // pump only, as all below but reduction_db_
  float decay_ = 0;
  float state_ = 0;               // the decaying reduction
  std::size_t still_ = 0;         // frames for which it has been 0
  std::size_t audio_stride_ = 0;  // samples of one channel
  std::vector<float> audio_;      // of each channel, what is kept and the block
  std::vector<const float*> looked_at_;
  std::vector<float> ceilings_;
  std::vector<float> needed_;  // reductions of each frame for itself, and those before
  std::vector<float> held_;    // their maxima, decaying
  std::vector<float> kept_;    // those before, and these, for the means
  std::vector<float> smoothed_;
  std::atomic<float> reduction_db_{0};
};

}  // namespace pypac
