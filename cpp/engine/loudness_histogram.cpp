// SPDX-License-Identifier: MIT
#include "engine/loudness_histogram.hpp"

#include <algorithm>
#include <cmath>

#include "dsp/loudness.hpp"

namespace pypac {
namespace {

constexpr double kGateLufs = -70;
constexpr double kBinsPerLu = 10;
constexpr std::size_t kBins = 1000;  // to 30 LUFS; what is louder is in the last
constexpr double kIntegratedGate = 0.1;
constexpr double kRangeGate = 0.01;

}  // namespace

LoudnessHistogram::LoudnessHistogram() : bins_(kBins) {}

void LoudnessHistogram::add(double energy) noexcept {
  if (!(energy > 0)) return;
  const double place = (lufs_from_energy(energy) - kGateLufs) * kBinsPerLu;
  if (place < 0) return;
  const std::size_t index = std::min(kBins - 1, static_cast<std::size_t>(place));
  Bin& bin = bins_[index];
  const auto written = static_cast<float>(energy);
  bin.lowest = bin.count == 0 ? written : std::min(bin.lowest, written);
  bin.highest = std::max(bin.highest, written);
  bin.energy += energy;
  ++bin.count;
  end_ = std::max(end_, index + 1);
  energy_ += energy;
  ++count_;
}

void LoudnessHistogram::clear() noexcept {
  std::fill(bins_.begin(), bins_.end(), Bin());
  end_ = 0;
  energy_ = 0;
  count_ = 0;
}

double LoudnessHistogram::Bin::lufs_of(std::uint64_t rank) const noexcept {
  const double low = lufs_from_energy(lowest);
  if (count < 2) return low;
  const double share = static_cast<double>(rank) / static_cast<double>(count - 1);
  return low + share * (lufs_from_energy(highest) - low);
}

std::size_t LoudnessHistogram::first_bin(double energy) const noexcept {
  // One lower, as the logarithm rounds.
  const double place = (lufs_from_energy(energy) - kGateLufs) * kBinsPerLu - 1;
  return static_cast<std::size_t>(std::clamp(place, 0.0, double{kBins - 1}));
}

double LoudnessHistogram::gated_energy() const noexcept {
  if (count_ == 0) return 0;
  const double gate = kIntegratedGate * energy_ / static_cast<double>(count_);
  Bin sum;
  for (std::size_t i = first_bin(gate); i < end_; ++i) {
    if (!bins_[i].reaches(gate)) continue;
    sum.energy += bins_[i].energy;
    sum.count += bins_[i].count;
  }
  return sum.count == 0 ? 0 : sum.energy / static_cast<double>(sum.count);
}

double LoudnessHistogram::range_lu() const noexcept {
  if (count_ == 0) return 0;
  const double gate = kRangeGate * energy_ / static_cast<double>(count_);
  const std::size_t first = first_bin(gate);
  std::uint64_t count = 0;
  for (std::size_t i = first; i < end_; ++i)
    if (bins_[i].reaches(gate)) count += bins_[i].count;
  if (count == 0) return 0;
  const auto rank = [&](double share) {
    return static_cast<std::uint64_t>(std::llround(static_cast<double>(count - 1) * share));
  };
  const std::uint64_t low_rank = rank(0.1);
  const std::uint64_t high_rank = rank(0.95);
  double low = 0;
  std::uint64_t below = 0;
  for (std::size_t i = first; i < end_; ++i) {
    const Bin& bin = bins_[i];
    if (bin.count == 0 || !bin.reaches(gate)) continue;
    if (low_rank >= below && low_rank < below + bin.count) low = bin.lufs_of(low_rank - below);
    if (high_rank < below + bin.count) return bin.lufs_of(high_rank - below) - low;
    below += bin.count;
  }
  return 0;
}

}  // namespace pypac
