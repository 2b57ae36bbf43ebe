// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace pypac {

/// The calling thread computes numbers that are too small to be normal as 0 for as long as this
/// lives: a filter that fades out would else cost a hundred times as much. Copies stay as they are.
class ScopedFlushToZero {
 public:
#if defined(__SSE2__) || defined(_M_X64)
  ScopedFlushToZero() noexcept : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlush); }
  ~ScopedFlushToZero() { _mm_setcsr(before_); }
#elif defined(__aarch64__)
  ScopedFlushToZero() noexcept : before_(control()) { set_control(before_ | kFlush); }
  ~ScopedFlushToZero() { set_control(before_); }
#else
  ScopedFlushToZero() noexcept = default;
  ~ScopedFlushToZero() = default;
#endif
  ScopedFlushToZero(const ScopedFlushToZero&) = delete;
  ScopedFlushToZero& operator=(const ScopedFlushToZero&) = delete;

 private:
#if defined(__SSE2__) || defined(_M_X64)
  static constexpr unsigned kFlush = 0x8040;  // results and operands: FTZ, DAZ
  unsigned before_;
#elif defined(__aarch64__)
  static constexpr std::uint64_t kFlush = std::uint64_t{1} << 24;
  static std::uint64_t control() noexcept {
    std::uint64_t value = 0;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void set_control(std::uint64_t value) noexcept {
    asm volatile("msr fpcr, %0" : : "r"(value));
  }
  std::uint64_t before_;
#endif
};

}  // namespace pypac
