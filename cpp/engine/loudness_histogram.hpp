// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pypac {

/// How loud a programme was, and for how long: for gated means and percentiles, in memory that does
/// not grow. Blocks below the absolute gate of -70 LUFS are left out.
///
/// Each bin of 0.1 LU keeps the energy of its blocks and their extremes beside their number, so
/// that results are not rounded to bins.
class LoudnessHistogram {
 public:
  /// [control-thread]
  LoudnessHistogram();

  /// [pump] Takes in a block's mean square behind the filters.
  void add(double energy) noexcept;
  /// [pump] Forgets everything.
  void clear() noexcept;

  /// [pump] The mean energy of the blocks at most 10 LU below that of all; 0: there are none.
  /// BS.1770-5.
  [[nodiscard]] double gated_energy() const noexcept;
  /// [pump] From the 10th to the 95th percentile of the blocks at most 20 LU below the mean energy
  /// of all, in LU. EBU Tech 3342.
  [[nodiscard]] double range_lu() const noexcept;

 private:
  struct Bin {
    double energy = 0;
    std::uint64_t count = 0;
    float lowest = 0;
    float highest = 0;

    [[nodiscard]] bool reaches(double mean) const noexcept {
      return energy >= mean * static_cast<double>(count);
    }
    /// The loudness of one of its blocks, in the order of loudness: those between the quietest and
    /// the loudest are taken to be as far from each other as their neighbours.
    [[nodiscard]] double lufs_of(std::uint64_t rank) const noexcept;
  };

  /// The first bin that may have blocks of that energy.
  [[nodiscard]] std::size_t first_bin(double energy) const noexcept;

  std::vector<Bin> bins_;
  std::size_t end_ = 0;  // above the highest bin that is used
  double energy_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace pypac
