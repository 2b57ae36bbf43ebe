// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace pypac {

/// The sum of the last values; there were zeros before them.
///
/// It is computed anew each time that the window has gone by, so that rounding does not gather.
class SlidingSum {
 public:
  /// [control-thread] Of so many values.
  explicit SlidingSum(std::size_t length) : values_(std::max<std::size_t>(1, length)) {}

  /// [audio-thread] Takes in one more, and drops the oldest.
  void add(double value) noexcept {
    sum_ += value - values_[next_];
    values_[next_] = value;
    seen_ = std::min(seen_ + 1, values_.size());
    if (++next_ < values_.size()) return;
    next_ = 0;
    sum_ = std::accumulate(values_.begin(), values_.end(), 0.0);
  }

  /// [audio-thread] Begins anew.
  void clear() noexcept {
    std::fill(values_.begin(), values_.end(), 0.0);
    sum_ = 0;
    next_ = seen_ = 0;
  }

  [[nodiscard]] std::size_t length() const noexcept { return values_.size(); }
  /// How many were taken in, at most length().
  [[nodiscard]] std::size_t seen() const noexcept { return seen_; }
  /// Never below 0: rounding after something loud is no level.
  [[nodiscard]] double sum() const noexcept { return std::max(0.0, sum_); }

 private:
  std::vector<double> values_;
  std::size_t next_ = 0;
  std::size_t seen_ = 0;
  double sum_ = 0;
};

}  // namespace pypac
