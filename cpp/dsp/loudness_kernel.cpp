// SPDX-License-Identifier: MIT
#include "dsp/loudness_kernel.hpp"

#include "dsp/lanes.hpp"

namespace pypac::PYPAC_LANES_NAMESPACE {
namespace {

constexpr std::size_t kLanes = Lanes::kCount;

/// The filters of as many channels as there are lanes.
struct Weigher {
  Lanes b0, b1, b2, a1, a2, damping, band, slope;
  Lanes shelf1, shelf2, high1, high2, sum;

  void take(Lanes x) noexcept {
    const Lanes y = b0 * x + shelf1;
    shelf1 = (b1 * x + shelf2) - a1 * y;
    shelf2 = b2 * x - a2 * y;
    const Lanes z = (y - high2) - damping * high1;
    const Lanes step = band * z;
    const Lanes middle = high1 + step;
    high1 = middle + step;
    const Lanes rise = slope * middle;
    high2 = (high2 + rise) + rise;
    sum += z * z;
  }
};

void weigh_group(const KWeighting& weighting, LoudnessLane* const (&lanes)[kLanes],
                 std::uint32_t frames) noexcept {
  float column[kLanes];
  const auto gather = [&](auto read) {
    for (std::size_t i = 0; i < kLanes; ++i) column[i] = read(*lanes[i]);
    return Lanes::load(column);
  };
  Weigher weigher{Lanes(weighting.b0),
                  Lanes(weighting.b1),
                  Lanes(weighting.b2),
                  Lanes(weighting.a1),
                  Lanes(weighting.a2),
                  Lanes(weighting.damping),
                  Lanes(weighting.band),
                  Lanes(weighting.slope),
                  gather([](const LoudnessLane& lane) { return lane.state[0]; }),
                  gather([](const LoudnessLane& lane) { return lane.state[1]; }),
                  gather([](const LoudnessLane& lane) { return lane.state[2]; }),
                  gather([](const LoudnessLane& lane) { return lane.state[3]; }),
                  gather([](const LoudnessLane& lane) { return lane.sum_of_squares; })};
  std::uint32_t begin = 0;
  for (; begin + kLanes <= frames; begin += kLanes) {
    Lanes rows[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) rows[i] = Lanes::load(lanes[i]->samples + begin);
    transpose(rows);
    for (std::size_t i = 0; i < kLanes; ++i) weigher.take(rows[i]);
  }
  for (; begin < frames; ++begin)
    weigher.take(gather([&](const LoudnessLane& lane) { return lane.samples[begin]; }));
  const auto scatter = [&](Lanes from, auto write) {
    from.store(column);
    for (std::size_t i = 0; i < kLanes; ++i) write(*lanes[i], column[i]);
  };
  scatter(weigher.shelf1, [](LoudnessLane& lane, float value) { lane.state[0] = value; });
  scatter(weigher.shelf2, [](LoudnessLane& lane, float value) { lane.state[1] = value; });
  scatter(weigher.high1, [](LoudnessLane& lane, float value) { lane.state[2] = value; });
  scatter(weigher.high2, [](LoudnessLane& lane, float value) { lane.state[3] = value; });
  scatter(weigher.sum, [](LoudnessLane& lane, float value) { lane.sum_of_squares = value; });
}

}  // namespace

void weigh(const KWeighting& weighting, LoudnessLane* const* lanes, std::size_t count,
           std::uint32_t frames) noexcept {
  for (std::size_t begin = 0; begin < count; begin += kLanes) {
    // What is left over reads the first lane's samples into lanes that nobody asks.
    LoudnessLane unasked[kLanes] = {};
    LoudnessLane* group[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) {
      unasked[i].samples = lanes[begin]->samples;
      group[i] = begin + i < count ? lanes[begin + i] : &unasked[i];
    }
    weigh_group(weighting, group, frames);
    for (std::size_t i = 0; i < kLanes && begin + i < count; ++i) group[i]->samples += frames;
  }
}

}  // namespace pypac::PYPAC_LANES_NAMESPACE
