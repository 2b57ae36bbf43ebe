// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pypac::lane {

/// What a lane's frames are, and how many there is room for: a power of two. Each side keeps its
/// own copy, as the other one can write to the memory.
struct Layout {
  std::uint32_t channels = 0;
  std::uint32_t capacity = 0;
};

/// How a lane lies in shared memory: this header, then the frames that go to the other process,
/// then those that come from it. Frames are interleaved float32; number n lies at place n modulo
/// the capacity, in both.
struct Header {
  static constexpr std::size_t kMaxParams = 64;

  // Constant.
  std::uint32_t sample_rate;
  std::uint32_t max_frames;  // what the filter gets at once, at most
  Layout layout;

  // The pump writes.
  alignas(64) std::atomic<std::int64_t> written;  // frames below have been sent
  std::atomic<std::int64_t> reset_at;             // what lies before is another stretch
  std::atomic<std::uint32_t> resets;
  std::atomic<std::uint32_t> closed;  // nothing more comes
  std::array<std::atomic<double>, kMaxParams> values;

  // The other process writes.
  alignas(64) std::atomic<std::int64_t> first;  // frames below were never processed
  std::atomic<std::int64_t> done;               // frames below are there
};

static_assert(std::atomic<std::int64_t>::is_always_lock_free);
static_assert(std::atomic<double>::is_always_lock_free);

[[nodiscard]] constexpr std::size_t samples_of(const Layout& layout) noexcept {
  return std::size_t{layout.channels} * layout.capacity;
}
[[nodiscard]] constexpr std::size_t bytes_of(const Layout& layout) noexcept {
  return sizeof(Header) + 2 * samples_of(layout) * sizeof(float);
}

/// Where the frames lie.
[[nodiscard]] inline float* sent(Header& header) noexcept {
  return reinterpret_cast<float*>(&header + 1);
}
[[nodiscard]] inline float* returned(Header& header, const Layout& layout) noexcept {
  return sent(header) + samples_of(layout);
}

}  // namespace pypac::lane
