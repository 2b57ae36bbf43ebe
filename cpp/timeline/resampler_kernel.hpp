// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace pypac {

/// One read() of a Resampler.
struct ResamplerReading {
  const float* coefficients;  // phases + 1 rows of 2 * half_width
  std::uint32_t phases;
  std::uint32_t half_width;  // a multiple of 4
  const float* const* inputs;
  std::uint32_t channels;
  double first;
  double increment;
  std::uint32_t frames;
  float* const* outputs;
};

namespace narrow {
void read_frames(const ResamplerReading& reading) noexcept;
}
namespace wide {
void read_frames(const ResamplerReading& reading) noexcept;
}

}  // namespace pypac
