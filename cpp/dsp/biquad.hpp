// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace pypac {

/// A response of second order, (high s^2 + band k s + low) / (s^2 + k s + 1), brought to a sample
/// rate by the bilinear transform: the tone at which tan(pi f / rate) is g stays where it is.
///
/// The functions give the responses of R. Bristow-Johnson's Audio EQ Cookbook (W3C Note, 2021), in
/// the form of A. Simper's trapezoidal state-variable filter (Cytomic, 2013). Frequencies are
/// limited to 0.49 of the rate.
///
/// Example, a side-chain that hears 200 to 6000 Hz of two channels:
///   BiquadCascade key(rate / 100);
///   key.set(0, BiquadDesign::high_pass(200, 0.71, rate));
///   key.set(1, BiquadDesign::low_pass(6000, 0.71, rate));
///   key.process(channels, 2, frames);
struct BiquadDesign {
  double g = 0;
  double k = 1;  // 1 / Q
  double high = 1;
  double band = 1;
  double low = 1;

  /// [any-thread, realtime-safe] Any response, for what the cookbook does not have: `high`, `band`
  /// and `low` are the gains far above, at, and far below the frequency.
  [[nodiscard]] static BiquadDesign at(double hz, double q, double sample_rate, double high,
                                       double band, double low) noexcept;
  [[nodiscard]] static BiquadDesign low_pass(double hz, double q, double sample_rate) noexcept;
  [[nodiscard]] static BiquadDesign high_pass(double hz, double q, double sample_rate) noexcept;
  /// 0 dB at its frequency.
  [[nodiscard]] static BiquadDesign band_pass(double hz, double q, double sample_rate) noexcept;
  [[nodiscard]] static BiquadDesign notch(double hz, double q, double sample_rate) noexcept;
  [[nodiscard]] static BiquadDesign peak(double hz, double q, double sample_rate,
                                         double gain_db) noexcept;
  [[nodiscard]] static BiquadDesign low_shelf(double hz, double q, double sample_rate,
                                              double gain_db) noexcept;
  [[nodiscard]] static BiquadDesign high_shelf(double hz, double q, double sample_rate,
                                               double gain_db) noexcept;

  /// [any-thread, realtime-safe] The Q of each stage of a Butterworth filter of 2 * `stages`
  /// orders.
  [[nodiscard]] static double butterworth_q(std::size_t stage, std::size_t stages) noexcept;

  /// [any-thread] The gain for a tone; linear.
  [[nodiscard]] double gain(double hz, double sample_rate) const noexcept;
};

/// Up to eight stages one behind another, over channels that are treated alike.
///
/// Samples, state and coefficients are float32: this form's rounding stays below -100 dB of the
/// input at 10 Hz too, where direct forms need doubles. Designs are made in doubles. A stage that
/// is given another design runs as both for a while and is faded over, so that no change clicks;
/// one that comes meanwhile waits for the end of that.
///
/// A block in one piece or in many gives the same bits, and so does a cascade alone or in a bank.
class BiquadCascade {
 public:
  static constexpr std::size_t kMaxStages = 8;
  static constexpr std::size_t kMaxChannels = 8;

  /// [control-thread] All stages pass at first. `fade_frames`: how long a change takes. No memory
  /// is allocated then or later.
  explicit BiquadCascade(std::uint32_t fade_frames = 480) noexcept;

  /// [pump] The stage becomes this; it is faded there, once something was heard.
  void set(std::size_t stage, const BiquadDesign& design) noexcept;
  /// [pump] The stage passes everything, and costs nothing once that has been faded to.
  void pass(std::size_t stage) noexcept;

  /// [pump] In place. Where no stage does anything, every bit stays as it is.
  void process(float* const* channels, std::size_t channel_count, std::size_t frames) noexcept;

  /// One cascade of a bank, and the channels that it is for.
  struct Job {
    BiquadCascade* cascade = nullptr;
    float* const* channels = nullptr;
    std::size_t channel_count = 0;
  };
  /// [pump] What process() of each gives, faster.
  static void process_bank(std::span<const Job> jobs, std::size_t frames) noexcept;

  /// [pump] Forgets the past, and is what it was becoming. Until the next block set() jumps.
  void reset() noexcept;

 private:
  static constexpr std::size_t kCoefficients = 6;
  using Coefficients = std::array<float, kCoefficients>;

  static constexpr Coefficients kPasses{0, 0, 0, 1, 0, 0};

  struct Stage {
    Coefficients now = kPasses;
    Coefficients old = kPasses;
    Coefficients next = kPasses;  // once the fade is over
    std::uint32_t left = 0;       // frames of the fade
    float state[kMaxChannels][2] = {};
    float old_state[kMaxChannels][2] = {};

    [[nodiscard]] bool rests() const noexcept { return left == 0 && now == kPasses; }
  };

  [[nodiscard]] static Coefficients coefficients_of(const BiquadDesign& design) noexcept;
  void aim(Stage& stage, const Coefficients& coefficients) noexcept;
  void begin_fade(Stage& stage) noexcept;
  [[nodiscard]] std::size_t frames_to_next_fade() const noexcept;
  void advance(std::size_t frames) noexcept;

  friend class BiquadLoader;

  std::uint32_t fade_frames_;
  bool unheard_ = true;
  std::array<Stage, kMaxStages> stages_;
};

}  // namespace pypac
