// SPDX-License-Identifier: MIT
#include "dsp/wide_lanes.hpp"

#if defined(PYPAC_WITH_WIDE_LANES) && defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#endif

namespace pypac {
namespace {

bool detected() noexcept {
#if !defined(PYPAC_WITH_WIDE_LANES)
  return false;
#elif defined(_MSC_VER)
  int leaf[4];
  __cpuid(leaf, 0);
  if (leaf[0] < 7) return false;
  __cpuid(leaf, 1);
  constexpr int kSavedByTheSystem = 1 << 27;
  if ((leaf[2] & kSavedByTheSystem) == 0 || (_xgetbv(0) & 6) != 6) return false;
  __cpuidex(leaf, 7, 0);
  return (leaf[1] & (1 << 5)) != 0;
#else
  return __builtin_cpu_supports("avx2") != 0;
#endif
}

}  // namespace

bool has_wide_lanes() noexcept {
  static const bool has = detected();
  return has;
}

}  // namespace pypac
