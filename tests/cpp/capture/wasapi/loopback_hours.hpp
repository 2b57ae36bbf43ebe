// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <memory>
#include <numbers>
#include <random>
#include <vector>

#include "allocation_counter.hpp"
#include "capture/wasapi/loopback_packets.hpp"
#include "core/host_clock.hpp"
#include "engine/engine.hpp"
#include "plugin/fed_source.hpp"
#include "timeline/clock_domain.hpp"
#include "timeline/simulated_clock.hpp"

namespace pypac::test {

/// A process-loopback client for hours, faster than real time: 10 ms packets without positions,
/// whose stamps jitter; a clock whose rate wanders by 40 ppm; lost packets; and once, after half of
/// the time, a second of which nothing comes and of which Windows says nothing.
///
/// It plays the true time: the phase of a cosine (left) and a sine (right) of 48 Hz.
class SimulatedLoopback final : public FedSource {
 public:
  static constexpr std::uint32_t kRate = 48000;
  static constexpr std::uint32_t kFrames = 480;
  static constexpr double kTone = 48;
  static constexpr std::uint32_t kLongestLoss = 10;  // packets

  explicit SimulatedLoopback(double jump_at_s)
      : SimulatedLoopback(jump_at_s, std::make_shared<ClockDomain>(kRate)) {}
  SimulatedLoopback(double jump_at_s, const std::shared_ptr<ClockDomain>& domain)
      : FedSource(2, 16 * kFrames, domain),
        jump_at_s_(jump_at_s),
        domain_(domain),
        interleaved_(2 * kFrames) {
    feed_.set_absence(Cause::stalled);
  }

  void start(HostTime origin) override {
    origin_ = origin;
    packets_.begin(origin);
    domain_->set_origin(origin);
  }
  void stop() noexcept override {}

  void produce(HostTime until) noexcept override {
    const double until_s = in_seconds(until - origin_);
    for (;;) {
      const double frame_s = 1 / (kRate * (1 + skew()));
      const double end_s = begin_s_ + kFrames * frame_s;
      if (end_s > until_s) return;
      if (to_lose_ == 0 && one_in(30'000)) {
        to_lose_ = 1 + static_cast<std::uint32_t>(random_() % kLongestLoss);
        discontinuity_ = true;
      }
      if (to_lose_ > 0) {
        --to_lose_;
        lost_frames_ += (end_s - begin_s_) * kRate;
      } else {
        hand_over(frame_s, end_s);
      }
      begin_s_ = end_s;
      if (!jumped_ && begin_s_ > jump_at_s_) {
        begin_s_ += 1;
        lost_frames_ += kRate;
        jumped_ = true;
      }
    }
  }

  /// Frames of the timeline of which nothing was handed over.
  [[nodiscard]] double lost_frames() const { return lost_frames_; }
  [[nodiscard]] const ClockDomain& domain() const { return *domain_; }

 private:
  [[nodiscard]] double skew() const {
    return 1e-6 * (50 + 20 * std::sin(2 * std::numbers::pi * begin_s_ / 7200));
  }

  bool one_in(std::uint32_t n) { return random_() % n == 0; }

  void hand_over(double frame_s, double end_s) noexcept {
    const double turns = kTone * begin_s_;
    std::complex<double> sound =
        std::polar(0.5, 2 * std::numbers::pi * (turns - std::floor(turns)));
    const std::complex<double> step = std::polar(1.0, 2 * std::numbers::pi * kTone * frame_s);
    for (std::uint32_t i = 0; i < kFrames; ++i) {
      interleaved_[2 * i] = static_cast<float>(sound.real());
      interleaved_[2 * i + 1] = static_cast<float>(sound.imag());
      sound *= step;
    }
    // One stamp in a thousand is taken late.
    const double jitter_s = one_in(1000) ? 3e-3 : std::clamp(jitter_(random_), -2e-4, 2e-4);
    LoopbackPacket packet;
    packet.interleaved = interleaved_.data();
    packet.frames = kFrames;
    packet.qpc_100ns =
        static_cast<std::uint64_t>(std::llround((in_seconds(origin_) + begin_s_ + jitter_s) * 1e7));
    packet.received = origin_ + HostTime(std::llround(end_s * 1e9));
    packet.discontinuity = discontinuity_;
    discontinuity_ = false;
    Stamp stamp;
    if (!domain_->stamp(packets_.take(packet).reading, stamp)) return;
    float* const room = feed_.begin_packet(kFrames);
    if (!room) return;
    for (std::uint32_t i = 0; i < kFrames; ++i) {
      room[i] = interleaved_[2 * i];
      room[kFrames + i] = interleaved_[2 * i + 1];
    }
    feed_.commit_packet(stamp);
  }

  static double in_seconds(HostTime time) { return std::chrono::duration<double>(time).count(); }

  const double jump_at_s_;
  std::shared_ptr<ClockDomain> domain_;
  LoopbackPackets packets_{kRate};
  HostTime origin_{};
  double begin_s_ = 0.1;  // when the first frame of the next packet is heard, since the origin
  bool jumped_ = false;
  bool discontinuity_ = false;
  std::uint32_t to_lose_ = 0;
  double lost_frames_ = begin_s_ * kRate;
  std::minstd_rand random_{11};
  std::normal_distribution<double> jitter_{0, 0.05e-3};
  std::vector<float> interleaved_;
};

/// What hours of a simulated client came to.
struct LoopbackHours {
  double settled_s = 0;  // what comes before is not measured: the clock's rate is not known yet
  double worst_ms = 0;   // by which a frame is off its true place
  double rms_ms = 0;
  double heard = 0;          // the share of the frames that was captured and measured
  double lost_frames = 0;    // handed over by nobody, in frames of the timeline
  double silent_frames = 0;  // in the ledger
  std::size_t incidents = 0;
  std::size_t allocations = 0;  // by the engine, after the first second
};

/// Lets a simulated client run through the engine, and measures it in the sound.
inline LoopbackHours run_loopback_hours(double hours) {
  constexpr auto kRate = SimulatedLoopback::kRate;
  constexpr double kSettled = 60;
  ManualClock clock;
  const FilterRegistry no_filters;
  Engine engine({kRate, 480, 1920}, no_filters, clock);
  const auto source = std::make_shared<SimulatedLoopback>(hours * 1800);
  engine.apply({{"source", source}}, {{.id = "track", .sends = {{"source"}}, .filters = {}}});
  const auto ring = std::make_shared<ReaderRing>(std::vector<std::uint32_t>{2}, 480, 2 * kRate);
  engine.add_sink("output", ring, {"track"});

  LoopbackHours found;
  found.settled_s = kSettled;
  double sum = 0;
  double count = 0;
  double asked = 0;
  const auto count_incidents = [&] {
    while (const auto incident = engine.ledger().pop()) {
      ++found.incidents;
      if (!moved_or_dropped(incident->cause))
        found.silent_frames += static_cast<double>(incident->frames);
    }
  };
  const auto seconds = static_cast<int>(hours * 3600);
  for (int second = 0; second < seconds; ++second) {
    const std::size_t before = allocations();
    engine.run_offline(kRate);
    if (second > 0) found.allocations += allocations() - before;
    count_incidents();
    while (ring->available() > 0) {
      const ReaderRing::Run run = ring->peek(kRate);
      const float* const samples = ring->samples(0, run);
      for (std::uint32_t i = 0; i < run.frames; i += 48) {
        const Frames place = run.start + i;
        if (static_cast<double>(place) < kSettled * kRate) continue;
        ++asked;
        const std::complex<double> sound(samples[2 * i], samples[2 * i + 1]);
        if (std::abs(std::abs(sound) - 0.5) > 1e-3) continue;  // silence, or its edge
        const double heard = std::arg(sound) / (2 * std::numbers::pi) * 1000;
        const double error_ms =
            std::remainder(static_cast<double>(place % 1000) - heard, 1000) / 48;
        found.worst_ms = std::max(found.worst_ms, std::abs(error_ms));
        sum += error_ms * error_ms;
        ++count;
      }
      ring->release(run.frames);
    }
  }
  engine.finish_offline();
  count_incidents();
  found.rms_ms = std::sqrt(sum / count);
  found.heard = count / asked;
  found.lost_frames = source->lost_frames();
  return found;
}

}  // namespace pypac::test
