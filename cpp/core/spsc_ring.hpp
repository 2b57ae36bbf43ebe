// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace pypac {

/// A bounded queue between one writer and one reader thread.
///
/// Holds `capacity` values, rounded up to a power of two. A full ring refuses the value; what to do
/// about it (count, mark a gap) is the writer's business.
template <typename T>
class SpscRing {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  /// [control-thread]
  explicit SpscRing(std::size_t capacity)
      : values_(std::bit_ceil(capacity < 2 ? std::size_t{2} : capacity)),
        mask_(values_.size() - 1) {}

  [[nodiscard]] std::size_t capacity() const noexcept { return values_.size(); }

  /// [writer, realtime-safe]
  [[nodiscard]] bool push(const T& value) noexcept {
    const std::size_t write = write_index_.load(std::memory_order_relaxed);
    if (write - read_index_.load(std::memory_order_acquire) == values_.size()) return false;
    values_[write & mask_] = value;
    write_index_.store(write + 1, std::memory_order_release);
    return true;
  }

  /// [reader, realtime-safe] The oldest value, or nullptr. Valid until pop().
  [[nodiscard]] const T* front() const noexcept {
    const std::size_t read = read_index_.load(std::memory_order_relaxed);
    if (read == write_index_.load(std::memory_order_acquire)) return nullptr;
    return &values_[read & mask_];
  }

  /// [reader, realtime-safe] The value `ahead` behind the oldest, or nullptr. Valid until popped.
  [[nodiscard]] const T* peek(std::size_t ahead) const noexcept {
    const std::size_t read = read_index_.load(std::memory_order_relaxed);
    if (write_index_.load(std::memory_order_acquire) - read <= ahead) return nullptr;
    return &values_[(read + ahead) & mask_];
  }

  /// [reader, realtime-safe] Only after front() gave a value.
  void pop() noexcept {
    read_index_.store(read_index_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

 private:
  std::vector<T> values_;
  std::size_t mask_;
  alignas(64) std::atomic<std::size_t> write_index_{0};  // writer only
  alignas(64) std::atomic<std::size_t> read_index_{0};   // reader only
};

}  // namespace pypac
