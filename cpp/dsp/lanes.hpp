// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(PYPAC_WIDE_LANES)
#include <immintrin.h>
#elif (defined(__SSE2__) || defined(_M_X64)) && !defined(PYPAC_PORTABLE_LANES)
#include <emmintrin.h>
#define PYPAC_SSE2_LANES
#else
#include <bit>
#include <cmath>
#endif

/// The namespace of code that is compiled once for each width (cmake/kernels.cmake).
///
/// What is compiled so includes nothing that has inline functions, but headers like this one: the
/// linker keeps one copy of each, which may be the one that not every processor can run.
#if !defined(PYPAC_LANES_NAMESPACE)
#if defined(PYPAC_WIDE_LANES)
#define PYPAC_LANES_NAMESPACE wide
#else
#define PYPAC_LANES_NAMESPACE narrow
#endif
#endif

namespace pypac::PYPAC_LANES_NAMESPACE {

/// Several samples side by side, and arithmetic on all of them at once: 8 with AVX2, else 4. No
/// operation rounds otherwise in one width than in the other, or in the portable one.
#if defined(PYPAC_WIDE_LANES)

struct Lanes {
  static constexpr std::size_t kCount = 8;
  __m256 v;

  Lanes() = default;
  Lanes(__m256 value) noexcept : v(value) {}
  explicit Lanes(float value) noexcept : v(_mm256_set1_ps(value)) {}
  [[nodiscard]] static Lanes load(const float* from) noexcept { return {_mm256_loadu_ps(from)}; }
  void store(float* to) const noexcept { _mm256_storeu_ps(to, v); }
};

/// All bits of a lane are set, or none: what a comparison gives.
using Mask = Lanes;

inline Lanes operator+(Lanes a, Lanes b) noexcept {
  return {_mm256_add_ps(a.v, b.v)};
}
inline Lanes operator-(Lanes a, Lanes b) noexcept {
  return {_mm256_sub_ps(a.v, b.v)};
}
inline Lanes operator*(Lanes a, Lanes b) noexcept {
  return {_mm256_mul_ps(a.v, b.v)};
}
inline Lanes operator/(Lanes a, Lanes b) noexcept {
  return {_mm256_div_ps(a.v, b.v)};
}
/// Where one is NaN: b.
inline Lanes min(Lanes a, Lanes b) noexcept {
  return {_mm256_min_ps(a.v, b.v)};
}
inline Lanes max(Lanes a, Lanes b) noexcept {
  return {_mm256_max_ps(a.v, b.v)};
}
inline Lanes sqrt(Lanes a) noexcept {
  return {_mm256_sqrt_ps(a.v)};
}
inline Mask operator<(Lanes a, Lanes b) noexcept {
  return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)};
}
inline Mask operator>(Lanes a, Lanes b) noexcept {
  return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)};
}
inline Mask operator<=(Lanes a, Lanes b) noexcept {
  return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)};
}
inline Mask operator>=(Lanes a, Lanes b) noexcept {
  return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)};
}
inline Lanes operator&(Lanes a, Lanes b) noexcept {
  return {_mm256_and_ps(a.v, b.v)};
}
inline Lanes operator|(Lanes a, Lanes b) noexcept {
  return {_mm256_or_ps(a.v, b.v)};
}
/// b without the bits of a.
inline Lanes and_not(Lanes a, Lanes b) noexcept {
  return {_mm256_andnot_ps(a.v, b.v)};
}
inline Lanes select(Mask which, Lanes yes, Lanes no) noexcept {
  return {_mm256_blendv_ps(no.v, yes.v, which.v)};
}
inline bool any(Mask mask) noexcept {
  return _mm256_movemask_ps(mask.v) != 0;
}

/// Eight rows of eight become columns.
inline void transpose(Lanes (&rows)[8]) noexcept {
  __m256 t[8];
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps(rows[2 * i].v, rows[2 * i + 1].v);
    t[2 * i + 1] = _mm256_unpackhi_ps(rows[2 * i].v, rows[2 * i + 1].v);
  }
  __m256 u[8];
  for (int i = 0; i < 8; i += 4) {
    u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
    u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
  }
  for (int i = 0; i < 4; ++i) {
    rows[i].v = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
    rows[i + 4].v = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
  }
}

/// Each pair of lanes one pair lower, and the highest of `top` above them.
inline Lanes pairs_down(Lanes a, Lanes top) noexcept {
  const __m256d lower = _mm256_permute4x64_pd(_mm256_castps_pd(a.v), 0xF9);
  return {_mm256_blend_ps(_mm256_castpd_ps(lower), top.v, 0xC0)};
}

/// Four frames of eight rows, which become columns; in lanes of four of all that go together.
inline void transpose_halves(__m256 (&t)[4]) noexcept {
  const __m256 a = _mm256_unpacklo_ps(t[0], t[1]);
  const __m256 b = _mm256_unpackhi_ps(t[0], t[1]);
  const __m256 c = _mm256_unpacklo_ps(t[2], t[3]);
  const __m256 d = _mm256_unpackhi_ps(t[2], t[3]);
  t[0] = _mm256_shuffle_ps(a, c, 0x44);
  t[1] = _mm256_shuffle_ps(a, c, 0xEE);
  t[2] = _mm256_shuffle_ps(b, d, 0x44);
  t[3] = _mm256_shuffle_ps(b, d, 0xEE);
}

/// As many frames of a row a lane, from rows[i] + at on, become columns: frame by frame, all rows.
/// Cheaper than load() and transpose().
inline void load_columns(const float* const* rows, std::size_t at, Lanes* columns) noexcept {
  for (std::size_t half = 0; half < 8; half += 4) {
    __m256 t[4];
    for (std::size_t i = 0; i < 4; ++i)
      t[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(rows[i] + at + half)),
                                  _mm_loadu_ps(rows[i + 4] + at + half), 1);
    transpose_halves(t);
    for (std::size_t i = 0; i < 4; ++i) columns[half + i].v = t[i];
  }
}
/// And back.
inline void store_columns(const Lanes* columns, float* const* rows, std::size_t at) noexcept {
  for (std::size_t half = 0; half < 8; half += 4) {
    __m256 t[4];
    for (std::size_t i = 0; i < 4; ++i) t[i] = columns[half + i].v;
    transpose_halves(t);
    for (std::size_t i = 0; i < 4; ++i) {
      _mm_storeu_ps(rows[i] + at + half, _mm256_castps256_ps128(t[i]));
      _mm_storeu_ps(rows[i + 4] + at + half, _mm256_extractf128_ps(t[i], 1));
    }
  }
}

/// Integers in lanes, for the exponents of floats.
struct IntLanes {
  __m256i v;
};
inline IntLanes bits_of(Lanes a) noexcept {
  return {_mm256_castps_si256(a.v)};
}
inline Lanes from_bits(IntLanes a) noexcept {
  return {_mm256_castsi256_ps(a.v)};
}
inline IntLanes splat(std::int32_t value) noexcept {
  return {_mm256_set1_epi32(value)};
}
inline IntLanes operator+(IntLanes a, IntLanes b) noexcept {
  return {_mm256_add_epi32(a.v, b.v)};
}
inline IntLanes operator-(IntLanes a, IntLanes b) noexcept {
  return {_mm256_sub_epi32(a.v, b.v)};
}
inline IntLanes operator&(IntLanes a, IntLanes b) noexcept {
  return {_mm256_and_si256(a.v, b.v)};
}
inline IntLanes operator|(IntLanes a, IntLanes b) noexcept {
  return {_mm256_or_si256(a.v, b.v)};
}
template <int Bits>
inline IntLanes shift_left(IntLanes a) noexcept {
  return {_mm256_slli_epi32(a.v, Bits)};
}
/// Copies of the sign bit come in.
template <int Bits>
inline IntLanes shift_right(IntLanes a) noexcept {
  return {_mm256_srai_epi32(a.v, Bits)};
}
inline Lanes to_float(IntLanes a) noexcept {
  return {_mm256_cvtepi32_ps(a.v)};
}
/// To the nearest, ties to even.
inline IntLanes to_int(Lanes a) noexcept {
  return {_mm256_cvtps_epi32(a.v)};
}

#elif defined(PYPAC_SSE2_LANES)

struct Lanes {
  static constexpr std::size_t kCount = 4;
  __m128 v;

  Lanes() = default;
  Lanes(__m128 value) noexcept : v(value) {}
  explicit Lanes(float value) noexcept : v(_mm_set1_ps(value)) {}
  [[nodiscard]] static Lanes load(const float* from) noexcept { return {_mm_loadu_ps(from)}; }
  void store(float* to) const noexcept { _mm_storeu_ps(to, v); }
};

using Mask = Lanes;

inline Lanes operator+(Lanes a, Lanes b) noexcept {
  return {_mm_add_ps(a.v, b.v)};
}
inline Lanes operator-(Lanes a, Lanes b) noexcept {
  return {_mm_sub_ps(a.v, b.v)};
}
inline Lanes operator*(Lanes a, Lanes b) noexcept {
  return {_mm_mul_ps(a.v, b.v)};
}
inline Lanes operator/(Lanes a, Lanes b) noexcept {
  return {_mm_div_ps(a.v, b.v)};
}
inline Lanes min(Lanes a, Lanes b) noexcept {
  return {_mm_min_ps(a.v, b.v)};
}
inline Lanes max(Lanes a, Lanes b) noexcept {
  return {_mm_max_ps(a.v, b.v)};
}
inline Lanes sqrt(Lanes a) noexcept {
  return {_mm_sqrt_ps(a.v)};
}
inline Mask operator<(Lanes a, Lanes b) noexcept {
  return {_mm_cmplt_ps(a.v, b.v)};
}
inline Mask operator>(Lanes a, Lanes b) noexcept {
  return {_mm_cmpgt_ps(a.v, b.v)};
}
inline Mask operator<=(Lanes a, Lanes b) noexcept {
  return {_mm_cmple_ps(a.v, b.v)};
}
inline Mask operator>=(Lanes a, Lanes b) noexcept {
  return {_mm_cmpge_ps(a.v, b.v)};
}
inline Lanes operator&(Lanes a, Lanes b) noexcept {
  return {_mm_and_ps(a.v, b.v)};
}
inline Lanes operator|(Lanes a, Lanes b) noexcept {
  return {_mm_or_ps(a.v, b.v)};
}
inline Lanes and_not(Lanes a, Lanes b) noexcept {
  return {_mm_andnot_ps(a.v, b.v)};
}
inline Lanes select(Mask which, Lanes yes, Lanes no) noexcept {
  return {_mm_or_ps(_mm_and_ps(which.v, yes.v), _mm_andnot_ps(which.v, no.v))};
}
inline bool any(Mask mask) noexcept {
  return _mm_movemask_ps(mask.v) != 0;
}

inline Lanes pairs_down(Lanes a, Lanes top) noexcept {
  return {_mm_shuffle_ps(a.v, top.v, 0xEE)};
}

inline void transpose(Lanes (&rows)[4]) noexcept {
  _MM_TRANSPOSE4_PS(rows[0].v, rows[1].v, rows[2].v, rows[3].v);
}

struct IntLanes {
  __m128i v;
};
inline IntLanes bits_of(Lanes a) noexcept {
  return {_mm_castps_si128(a.v)};
}
inline Lanes from_bits(IntLanes a) noexcept {
  return {_mm_castsi128_ps(a.v)};
}
inline IntLanes splat(std::int32_t value) noexcept {
  return {_mm_set1_epi32(value)};
}
inline IntLanes operator+(IntLanes a, IntLanes b) noexcept {
  return {_mm_add_epi32(a.v, b.v)};
}
inline IntLanes operator-(IntLanes a, IntLanes b) noexcept {
  return {_mm_sub_epi32(a.v, b.v)};
}
inline IntLanes operator&(IntLanes a, IntLanes b) noexcept {
  return {_mm_and_si128(a.v, b.v)};
}
inline IntLanes operator|(IntLanes a, IntLanes b) noexcept {
  return {_mm_or_si128(a.v, b.v)};
}
template <int Bits>
inline IntLanes shift_left(IntLanes a) noexcept {
  return {_mm_slli_epi32(a.v, Bits)};
}
template <int Bits>
inline IntLanes shift_right(IntLanes a) noexcept {
  return {_mm_srai_epi32(a.v, Bits)};
}
inline Lanes to_float(IntLanes a) noexcept {
  return {_mm_cvtepi32_ps(a.v)};
}
inline IntLanes to_int(Lanes a) noexcept {
  return {_mm_cvtps_epi32(a.v)};
}

#else
// Any other processor: what the compiler makes of four in a row. PYPAC_PORTABLE_LANES asks for it
// on x86-64 too.

struct Lanes {
  static constexpr std::size_t kCount = 4;
  float v[4];

  Lanes() = default;
  explicit Lanes(float value) noexcept : v{value, value, value, value} {}
  [[nodiscard]] static Lanes load(const float* from) noexcept {
    Lanes all;
    for (std::size_t i = 0; i < kCount; ++i) all.v[i] = from[i];
    return all;
  }
  void store(float* to) const noexcept {
    for (std::size_t i = 0; i < kCount; ++i) to[i] = v[i];
  }
};

using Mask = Lanes;

struct IntLanes {
  std::int32_t v[4];
};

/// One operation on each lane.
template <typename To, typename From, typename Operation>
inline To lane_by_lane(From a, From b, Operation operation) noexcept {
  To to;
  for (std::size_t i = 0; i < Lanes::kCount; ++i) to.v[i] = operation(a.v[i], b.v[i]);
  return to;
}

inline IntLanes bits_of(Lanes a) noexcept {
  return lane_by_lane<IntLanes>(a, a,
                                [](float x, float) { return std::bit_cast<std::int32_t>(x); });
}
inline Lanes from_bits(IntLanes a) noexcept {
  return lane_by_lane<Lanes>(a, a,
                             [](std::int32_t x, std::int32_t) { return std::bit_cast<float>(x); });
}
inline IntLanes splat(std::int32_t value) noexcept {
  return {{value, value, value, value}};
}
/// They wrap, as vectors do.
inline IntLanes operator+(IntLanes a, IntLanes b) noexcept {
  return lane_by_lane<IntLanes>(a, b, [](std::int32_t x, std::int32_t y) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(x) + static_cast<std::uint32_t>(y));
  });
}
inline IntLanes operator-(IntLanes a, IntLanes b) noexcept {
  return lane_by_lane<IntLanes>(a, b, [](std::int32_t x, std::int32_t y) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(x) - static_cast<std::uint32_t>(y));
  });
}
inline IntLanes operator&(IntLanes a, IntLanes b) noexcept {
  return lane_by_lane<IntLanes>(a, b, [](std::int32_t x, std::int32_t y) { return x & y; });
}
inline IntLanes operator|(IntLanes a, IntLanes b) noexcept {
  return lane_by_lane<IntLanes>(a, b, [](std::int32_t x, std::int32_t y) { return x | y; });
}
template <int Bits>
inline IntLanes shift_left(IntLanes a) noexcept {
  return lane_by_lane<IntLanes>(a, a, [](std::int32_t x, std::int32_t) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(x) << Bits);
  });
}
template <int Bits>
inline IntLanes shift_right(IntLanes a) noexcept {
  return lane_by_lane<IntLanes>(a, a, [](std::int32_t x, std::int32_t) { return x >> Bits; });
}
inline Lanes to_float(IntLanes a) noexcept {
  return lane_by_lane<Lanes>(a, a,
                             [](std::int32_t x, std::int32_t) { return static_cast<float>(x); });
}
inline IntLanes to_int(Lanes a) noexcept {
  return lane_by_lane<IntLanes>(
      a, a, [](float x, float) { return static_cast<std::int32_t>(std::nearbyint(x)); });
}

inline Lanes operator+(Lanes a, Lanes b) noexcept {
  return lane_by_lane<Lanes>(a, b, [](float x, float y) { return x + y; });
}
inline Lanes operator-(Lanes a, Lanes b) noexcept {
  return lane_by_lane<Lanes>(a, b, [](float x, float y) { return x - y; });
}
inline Lanes operator*(Lanes a, Lanes b) noexcept {
  return lane_by_lane<Lanes>(a, b, [](float x, float y) { return x * y; });
}
inline Lanes operator/(Lanes a, Lanes b) noexcept {
  return lane_by_lane<Lanes>(a, b, [](float x, float y) { return x / y; });
}
inline Lanes min(Lanes a, Lanes b) noexcept {
  return lane_by_lane<Lanes>(a, b, [](float x, float y) { return x < y ? x : y; });
}
inline Lanes max(Lanes a, Lanes b) noexcept {
  return lane_by_lane<Lanes>(a, b, [](float x, float y) { return x > y ? x : y; });
}
inline Lanes sqrt(Lanes a) noexcept {
  return lane_by_lane<Lanes>(a, a, [](float x, float) { return std::sqrt(x); });
}
inline Mask operator<(Lanes a, Lanes b) noexcept {
  return from_bits(lane_by_lane<IntLanes>(a, b, [](float x, float y) { return x < y ? -1 : 0; }));
}
inline Mask operator>(Lanes a, Lanes b) noexcept {
  return from_bits(lane_by_lane<IntLanes>(a, b, [](float x, float y) { return x > y ? -1 : 0; }));
}
inline Mask operator<=(Lanes a, Lanes b) noexcept {
  return from_bits(lane_by_lane<IntLanes>(a, b, [](float x, float y) { return x <= y ? -1 : 0; }));
}
inline Mask operator>=(Lanes a, Lanes b) noexcept {
  return from_bits(lane_by_lane<IntLanes>(a, b, [](float x, float y) { return x >= y ? -1 : 0; }));
}
inline Lanes operator&(Lanes a, Lanes b) noexcept {
  return from_bits(bits_of(a) & bits_of(b));
}
inline Lanes operator|(Lanes a, Lanes b) noexcept {
  return from_bits(bits_of(a) | bits_of(b));
}
inline Lanes and_not(Lanes a, Lanes b) noexcept {
  return from_bits(lane_by_lane<IntLanes>(bits_of(a), bits_of(b),
                                          [](std::int32_t x, std::int32_t y) { return ~x & y; }));
}
inline Lanes select(Mask which, Lanes yes, Lanes no) noexcept {
  return (which & yes) | and_not(which, no);
}
inline bool any(Mask mask) noexcept {
  const IntLanes bits = bits_of(mask);
  return ((bits.v[0] | bits.v[1]) | (bits.v[2] | bits.v[3])) < 0;
}

inline Lanes pairs_down(Lanes a, Lanes top) noexcept {
  Lanes all;
  all.v[0] = a.v[2];
  all.v[1] = a.v[3];
  all.v[2] = top.v[2];
  all.v[3] = top.v[3];
  return all;
}

inline void transpose(Lanes (&rows)[4]) noexcept {
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      const float swapped = rows[i].v[k];
      rows[i].v[k] = rows[k].v[i];
      rows[k].v[i] = swapped;
    }
  }
}

#endif

inline Lanes operator-(Lanes a) noexcept {
  return Lanes(0.0F) - a;
}
inline Lanes& operator+=(Lanes& a, Lanes b) noexcept {
  return a = a + b;
}
inline Lanes& operator*=(Lanes& a, Lanes b) noexcept {
  return a = a * b;
}
inline Lanes abs(Lanes a) noexcept {
  return and_not(Lanes(-0.0F), a);
}
inline Lanes clamp(Lanes a, Lanes low, Lanes high) noexcept {
  return min(max(a, low), high);
}

#if !defined(PYPAC_WIDE_LANES)
inline void load_columns(const float* const* rows, std::size_t at, Lanes* columns) noexcept {
  Lanes t[4];
  for (std::size_t i = 0; i < 4; ++i) t[i] = Lanes::load(rows[i] + at);
  transpose(t);
  for (std::size_t i = 0; i < 4; ++i) columns[i] = t[i];
}
inline void store_columns(const Lanes* columns, float* const* rows, std::size_t at) noexcept {
  Lanes t[4];
  for (std::size_t i = 0; i < 4; ++i) t[i] = columns[i];
  transpose(t);
  for (std::size_t i = 0; i < 4; ++i) t[i].store(rows[i] + at);
}
#endif

}  // namespace pypac::PYPAC_LANES_NAMESPACE
