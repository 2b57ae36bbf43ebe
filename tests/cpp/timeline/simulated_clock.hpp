// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <vector>

#include "timeline/aligner.hpp"
#include "timeline/clock_domain.hpp"

namespace pypac::test {

/// A device clock with skew, jitter in its stamps, and a true time that the tests know exactly.
class SimulatedClock {
 public:
  SimulatedClock(std::uint32_t rate, std::uint32_t quantum, double skew_ppm, double jitter_s,
                 std::uint32_t seed = 1)
      : rate_(rate), quantum_(quantum), skew_(skew_ppm * 1e-6), jitter_(jitter_s), random_(seed) {}

  void set_skew(double ppm) { skew_ = ppm * 1e-6; }

  /// The next cycle; its true time is then true_seconds() .
  ClockReading next() {
    position_ += started_ ? quantum_ : 0;
    seconds_ = next_seconds_;
    next_seconds_ += quantum_ / (rate_ * (1 + skew_));
    started_ = true;
    ClockReading reading;
    reading.clock_id = 7;
    reading.rate = rate_;
    reading.position = position_;
    reading.frames = quantum_;
    const double stamp = seconds_ + (jitter_ > 0 ? jitter_ * normal_(random_) : 0);
    reading.host_time = kStart + HostTime(std::llround(stamp * 1e9));
    return reading;
  }

  [[nodiscard]] double true_seconds() const { return seconds_; }
  [[nodiscard]] double frame_seconds() const { return 1 / (rate_ * (1 + skew_)); }

  static constexpr HostTime kStart{1'000'000'000'000};

 private:
  std::uint32_t rate_;
  std::uint32_t quantum_;
  double skew_;
  double jitter_;
  std::int64_t position_ = 123456;
  double seconds_ = 0;
  double next_seconds_ = 0;
  bool started_ = false;
  std::mt19937 random_;
  std::normal_distribution<double> normal_;
};

/// Incidents whose frames are no silence: they were dropped, or lie elsewhere.
inline bool moved_or_dropped(Cause cause) {
  return cause == Cause::overlap || cause == Cause::restamped || cause == Cause::late;
}

/// Whole numbers to test with.
class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}
  /// 0 ... limit - 1
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }

 private:
  std::mt19937 random_;
};

/// Counts what it hears.
struct CountingGaps final : GapSink {
  struct Heard {
    Cause cause;
    Frames begin;
    Frames frames;
  };
  void incident(Cause cause, Frames begin, Frames frames) noexcept override {
    if (count < heard.size()) heard[count] = {cause, begin, frames};
    ++count;
  }
  [[nodiscard]] Frames silence() const {
    Frames sum = 0;
    for (std::size_t i = 0; i < count; ++i)
      if (!moved_or_dropped(heard[i].cause)) sum += heard[i].frames;
    return sum;
  }
  std::vector<Heard> heard = std::vector<Heard>(100000);
  std::size_t count = 0;
};

}  // namespace pypac::test
