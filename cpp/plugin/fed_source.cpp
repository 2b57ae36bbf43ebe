// SPDX-License-Identifier: MIT
#include "plugin/fed_source.hpp"

#include <utility>

namespace pypac {
namespace {
// PipeWire's largest quantum (clock.quantum-limit) is 8192 frames; a stream at a quarter of the
// timeline's rate still fits.
constexpr std::uint32_t kMaxPacket = 4 * 8192;
}  // namespace

FedSource::FedSource(std::uint32_t channels, std::uint32_t capacity_frames,
                     std::shared_ptr<ClockDomain> domain)
    : feed_(channels, capacity_frames, std::move(domain)),
      aligner_(channels, kMaxBlock, kMaxPacket) {}

Source::Taken FedSource::read(const Wanted& wanted, GapSink& gaps) noexcept {
  if (!begun_) aligner_.start_at(wanted.begin);
  begun_ = true;
  produce(wanted.until);
  place_packets(feed_, aligner_, wanted.begin + wanted.frames, gaps, [] { return true; });
  const auto [captured, channels] =
      aligner_.take(wanted.begin, wanted.frames, wanted.room, feed_.absence(), gaps);
  return {captured, channels};
}

}  // namespace pypac
