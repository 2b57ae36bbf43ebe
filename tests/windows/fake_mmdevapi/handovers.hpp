// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace fake {

/// How long packets took from being put until their client released them: by then it has copied
/// their frames. The first kMost since clear(). [any-thread]
class Handovers {
 public:
  static constexpr std::size_t kMost = std::size_t{1} << 18;

  void add(std::int64_t took_100ns) {
    const std::size_t at = count_.fetch_add(1);
    if (at < kMost) took_100ns_[at].store(took_100ns);
  }
  void clear() { count_.store(0); }
  [[nodiscard]] std::size_t size() const { return std::min(count_.load(), kMost); }
  [[nodiscard]] std::int64_t at(std::size_t index) const { return took_100ns_[index].load(); }

 private:
  std::array<std::atomic<std::int64_t>, kMost> took_100ns_{};
  std::atomic<std::size_t> count_{0};
};

inline Handovers& handovers() {
  static Handovers& one = *new Handovers;
  return one;
}

}  // namespace fake
