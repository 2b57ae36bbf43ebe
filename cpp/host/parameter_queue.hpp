// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <span>
#include <vector>

#include "plugin/filter.hpp"

namespace pypac {

/// Brings parameters from the control thread to the pump. The newest value of each wins, so it is
/// never full.
class ParameterQueue {
 public:
  /// [control-thread]
  explicit ParameterQueue(std::size_t params) : slots_(params), changes_(params) {}

  /// [control-thread]
  void set(std::size_t index, double value) noexcept {
    slots_[index].value.store(value, std::memory_order_relaxed);
    slots_[index].changed.store(true, std::memory_order_release);
    any_.store(true, std::memory_order_release);
  }

  /// [pump] What has come since the last call. Valid until the next one.
  [[nodiscard]] std::span<const ParamChange> take() noexcept {
    if (!any_.exchange(false, std::memory_order_acquire)) return {};
    std::size_t count = 0;
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].changed.exchange(false, std::memory_order_acquire))
        changes_[count++] = {i, slots_[i].value.load(std::memory_order_relaxed)};
    return {changes_.data(), count};
  }

 private:
  struct Slot {
    std::atomic<double> value{0};
    std::atomic<bool> changed{false};
  };
  std::vector<Slot> slots_;
  std::atomic<bool> any_{false};
  std::vector<ParamChange> changes_;  // pump only
};

}  // namespace pypac
