// SPDX-License-Identifier: MIT
#include "plugin/pushed_source.hpp"

#include <cmath>
#include <cstddef>
#include <utility>

namespace pypac {

PushedSource::PushedSource(std::uint32_t sample_rate, std::uint32_t channels,
                           std::uint32_t capacity_frames, const HostClock& clock)
    : PushedSource(sample_rate, channels, capacity_frames, clock,
                   std::make_shared<ClockDomain>(sample_rate)) {}

PushedSource::PushedSource(std::uint32_t sample_rate, std::uint32_t channels,
                           std::uint32_t capacity_frames, const HostClock& clock,
                           std::shared_ptr<ClockDomain> domain)
    : FedSource(channels, capacity_frames, domain),
      sample_rate_(sample_rate),
      clock_(clock),
      domain_(std::move(domain)) {
  feed_.set_absence(Cause::starting);
}

void PushedSource::join(HostTime origin, Frames first) {
  anchor_ = {origin, sample_rate_};
  position_ = first;
  domain_->set_origin(origin);
  started_.store(true, std::memory_order_release);
}

Frames PushedSource::now() const noexcept {
  return static_cast<Frames>(std::floor(anchor_.position_of(clock_.now())));
}

void PushedSource::skip_to(Frames position, Cause cause) noexcept {
  if (position <= position_) return;
  position_ = position;
  gap_cause_ = cause;
  ++epoch_;
}

void PushedSource::push(const float* samples, std::uint32_t frames) noexcept {
  // The timeline is its clock: this only shows that it runs as that does.
  ClockReading reading;
  reading.clock_id = 1;
  reading.rate = sample_rate_;
  reading.position = position_;
  reading.frames = frames;
  reading.host_time = anchor_.host_time_of(position_);
  Stamp shown;
  static_cast<void>(domain_->stamp(reading, shown));
  if (float* const room = feed_.begin_packet(frames)) {
    const std::uint32_t channels = feed_.channels();
    for (std::uint32_t c = 0; c < channels; ++c)
      for (std::uint32_t i = 0; i < frames; ++i)
        room[std::size_t{c} * frames + i] = samples[std::size_t{i} * channels + c];
    Stamp stamp;
    stamp.device_time = position_;
    stamp.epoch = epoch_;  // another one for each gap, so that it has its cause
    stamp.timeline = static_cast<double>(position_);
    stamp.break_cause = gap_cause_;
    feed_.commit_packet(stamp);
  }
  position_ += frames;
}

}  // namespace pypac
