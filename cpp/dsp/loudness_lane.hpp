// SPDX-License-Identifier: MIT
#pragma once

namespace pypac {

/// The two filters of BS.1770 for one sample rate: the shelf of the head in the transposed direct
/// form II, then the high-pass as a state variable filter. That one's corner lies at 38 Hz, where
/// the direct form would lose bits of float32 to its coefficients and to rounding.
struct KWeighting {
  float b0, b1, b2, a1, a2;  // shelf
  float damping;             // high-pass: y = x - damping * s1 - s2
  float band;                // s1 moves by 2 * band * y
  float slope;               // s2 moves by 2 * slope * (s1 + band * y)
};

/// One channel on its way through the filters, beside others. Begin with LoudnessLane{}: no
/// constructor of it may be compiled for one width alone.
struct LoudnessLane {
  const float* samples;  // the next to be read
  float state[4];        // of the shelf, and of the high-pass
  float sum_of_squares;  // behind the filters; grows
};

}  // namespace pypac
