// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/time.hpp"

namespace pypac::obs_plugin {

/// How often which delay was seen, in steps of half a millisecond up to 50 ms. One thread adds, any
/// thread asks.
class DelayHistogram {
 public:
  static constexpr HostTime kStep = std::chrono::microseconds(500);

  void add(HostTime delay) noexcept {
    const auto step = static_cast<std::size_t>(std::max<std::int64_t>(0, delay / kStep));
    auto& count = counts_[std::min(step, counts_.size() - 1)];
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  /// The delay that this share of all delays stays below, as the end of its step; the last step has
  /// no end and gives its beginning. Example: of 99 delays of 0.2 ms and one of 7.1 ms,
  /// quantile(0.5) is 0.5 ms and quantile(1) 7.5 ms. 0 if there was none.
  [[nodiscard]] HostTime quantile(double share) const noexcept {
    std::array<std::uint64_t, kSteps> counts{};
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < kSteps; ++i) {
      counts[i] = counts_[i].load(std::memory_order_relaxed);
      total += counts[i];
    }
    if (total == 0) return {};
    const double wanted = share * static_cast<double>(total);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i + 1 < kSteps; ++i) {
      below += counts[i];
      if (static_cast<double>(below) >= wanted) return static_cast<std::int64_t>(i + 1) * kStep;
    }
    return static_cast<std::int64_t>(kSteps - 1) * kStep;
  }

 private:
  static constexpr std::size_t kSteps = 101;
  std::array<std::atomic<std::uint64_t>, kSteps> counts_{};
};

}  // namespace pypac::obs_plugin
