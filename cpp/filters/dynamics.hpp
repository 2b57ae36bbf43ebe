// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/glide.hpp"
#include "dsp/biquad.hpp"
#include "dsp/envelope.hpp"
#include "filters/bank_filter.hpp"
#include "filters/slow_change.hpp"
#include "host/block_buffer.hpp"
#include "host/delay_line.hpp"
#include "plugin/filter.hpp"

namespace pypac {

/// What all dynamics have in common: one level from all channels of the track, or of its keys; what
/// a kind makes of that is one gain for all channels, so that the image stays. Some look ahead, and
/// filter what they listen to.
///
/// A block goes in passes through `level`: detection and curves many frames at a time, what is
/// serial for several tracks at a time.
class Dynamics : public BankFilter {
 public:
  void activate(const Activation& activation) final;
  void process_bank(std::span<Filter* const> bank,
                    std::span<const ProcessContext> contexts) noexcept final;
  void reset() noexcept final;
  [[nodiscard]] std::uint32_t latency_frames() const noexcept final { return latency_; }
  [[nodiscard]] float reduction_db() const noexcept final {
    return reduction_db_.load(std::memory_order_relaxed);
  }

 protected:
  static constexpr std::size_t kBank = 8;
  using Bank = std::span<Dynamics* const>;

  /// `hears_itself`: where there is no key, the track steers.
  explicit Dynamics(bool hears_itself) noexcept : hears_itself_(hears_itself) {}

  /// [control-thread] Allocates what the kind has of its own.
  virtual void prepare(const Activation& activation) { static_cast<void>(activation); }
  /// [pump, or control-thread & inactive] Takes the values over; `at_once`: nothing was heard.
  virtual void tune(bool at_once) noexcept = 0;
  /// [pump] Forgets what it has heard.
  virtual void forget() noexcept = 0;
  /// [pump] Behind forget(), where something may sound already.
  virtual void resume() noexcept {}
  /// [pump] What is heard of each becomes its level.
  virtual void listen(Bank bank, std::span<const ProcessContext> contexts) noexcept;
  /// [pump] The levels become gains.
  virtual void shape(Bank bank, std::uint32_t frames) noexcept = 0;
  /// [pump] The gain is heard.
  virtual void apply(const AudioBlock& audio) noexcept;

  [[nodiscard]] double value(std::size_t param) const noexcept { return values_[param]; }
  [[nodiscard]] bool is_on(std::size_t param) const noexcept { return values_[param] != 0; }
  [[nodiscard]] std::uint32_t sample_rate() const noexcept { return sample_rate_; }
  [[nodiscard]] float* level() noexcept { return level_.data(); }
  [[nodiscard]] float coefficient(std::size_t param) const noexcept {
    return follower_coefficient(values_[param], sample_rate_);
  }
  void report_reduction(double db) noexcept {
    reduction_db_.store(db > 0 ? static_cast<float>(db) : 0.0F, std::memory_order_relaxed);
  }

 private:
  void begin(const ProcessContext& context) noexcept;
  void tune_ears() noexcept;
  /// The sound of one track as its ear may filter it.
  [[nodiscard]] BlockView copy_to_filter(BlockView track, std::uint32_t frames) noexcept;

  const bool hears_itself_;
  std::uint32_t sample_rate_ = 48000;
  std::uint32_t latency_ = 0;
  std::optional<std::size_t> key_low_;  // places of parameters, where the kind has them
  std::optional<std::size_t> key_high_;
  std::vector<double> values_;  // pump only, as all below
  std::vector<float> level_;
  std::vector<BiquadCascade> ears_;   // one for each key
  std::optional<BlockBuffer> heard_;  // one track behind its filters
  bool ears_filter_ = false;
  bool unheard_ = true;
  std::optional<DelayLine> line_;
  std::atomic<float> reduction_db_{0};
};

/// How long curves take to change, in decibels: three times as long as a gain, so that 40 dB make
/// no step on a tone of 100 Hz larger than 1.05 times the tone's own.
[[nodiscard]] constexpr std::uint32_t change_frames(std::uint32_t sample_rate) noexcept {
  return 3 * glide_frames(sample_rate);
}

/// Dynamics with a static curve: compressors and expanders.
class CurveDynamics : public Dynamics {
 protected:
  /// Where the attack and the release work: on the level, before the curve; or on the curve's gain.
  enum class Smooths { level, gain };

  struct Stages {
    LevelCurve curve{};
    GainStage gain{};
  };
  struct Tuning {
    bool mean = false;  // the root of the mean square, not the peak
    float rise = 0;
    float fall = 0;
    Stages stages{};
  };

  CurveDynamics(bool hears_itself, Smooths smooths) noexcept
      : Dynamics(hears_itself), smooths_(smooths) {}

  /// [pump, or control-thread & inactive] What the values mean.
  [[nodiscard]] virtual Tuning tuning() const noexcept = 0;

  void prepare(const Activation& activation) override;
  void tune(bool at_once) noexcept override;
  void forget() noexcept override;
  void shape(Bank bank, std::uint32_t frames) noexcept final;

  /// Of the last block, to go over it once more.
  [[nodiscard]] SlowChange<Stages>& replayed() noexcept { return replayed_; }

 private:
  const Smooths smooths_;
  bool mean_on_ = false;
  Follower mean_;
  Follower smooth_;
  SlowChange<Stages> stages_;
  SlowChange<Stages> replayed_;
};

/// Dynamics that open and close.
class GateDynamics : public Dynamics {
 protected:
  /// How the share to which it is open becomes a gain.
  enum class Opens { in_amplitude, in_decibels };

  struct Stages {
    GainStage gain{};
  };
  struct Tuning {
    GateRamp ramp{};  // its settings; the rest stays
    Stages stages{};
  };

  GateDynamics(bool hears_itself, Opens opens) noexcept : Dynamics(hears_itself), opens_(opens) {}

  [[nodiscard]] virtual Tuning tuning() const noexcept = 0;

  /// The share a frame of what takes that long.
  [[nodiscard]] std::int32_t step_of(std::size_t param) const noexcept;
  [[nodiscard]] float frames_of(double ms) const noexcept;

  void prepare(const Activation& activation) final;
  void tune(bool at_once) noexcept final;
  void forget() noexcept final;
  void shape(Bank bank, std::uint32_t frames) noexcept final;

  /// [pump] It is wide open, and closes once it has heard that it is quiet.
  void open() noexcept;

 private:
  const Opens opens_;
  GateRamp ramp_;
  SlowChange<Stages> stages_;
};

/// Parameters that several kinds have in common.
[[nodiscard]] ParamInfo level_param(std::string id, double min, double max, double fallback,
                                    std::string help);
[[nodiscard]] ParamInfo time_param(std::string id, double min, double max, double fallback,
                                   std::string help);
[[nodiscard]] ParamInfo ratio_param(double min, double max, double fallback, std::string help);
[[nodiscard]] ParamInfo detector_param(std::string fallback);
[[nodiscard]] ParamInfo look_ahead_param();
/// Tracks that steer it; none: the track itself.
[[nodiscard]] ParamInfo optional_key_param();
[[nodiscard]] ParamInfo key_low_param(double fallback);
[[nodiscard]] ParamInfo key_high_param(double fallback);

}  // namespace pypac
