// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace pypac {

/// Up to eight channels side by side, each with a cascade of its own: what the kernel of biquads
/// works on. All arrays end with the lanes; a narrow kernel takes the first four.
///
/// A stage that fades runs twice, as it was and as it becomes. Of frame n the share of what it was
/// is fall * max(0, left - (n + 1)), whatever the length of the blocks.
struct BiquadGroup {
  static constexpr std::size_t kLanes = 8;
  static constexpr std::size_t kStages = 8;
  static constexpr std::size_t kCoefficients = 6;

  struct Stage {
    float coefficients[kCoefficients][kLanes];
    float state[2][kLanes];
    bool fades;  // in any lane; only then what follows counts
    float left[kLanes];
    float fall[kLanes];
    float old_coefficients[kCoefficients][kLanes];
    float old_state[2][kLanes];
  };

  float* samples[kLanes];  // in place
  std::size_t lanes;       // that are in use; the rest are silent
  std::size_t stages;
  std::size_t frames;
  Stage stage[kStages];
};

namespace narrow {
/// One or two groups with as many frames.
void run_biquads(BiquadGroup* groups, std::size_t count) noexcept;
}  // namespace narrow
namespace wide {
void run_biquads(BiquadGroup* groups, std::size_t count) noexcept;
}

}  // namespace pypac
