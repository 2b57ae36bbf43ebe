// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <vector>

#include "core/thread_role.hpp"
#include "host/delay_line.hpp"

using namespace pypac;

TEST_CASE("a delay line gives back what went in, bit for bit, in blocks of any length") {
  const ScopedThreadRole role(ThreadRole::pump);
  for (const std::uint32_t delay : {1U, 63U, 480U, 1000U}) {
    DelayLine line(1, delay, 480);
    std::uint32_t position = 0;
    for (const std::uint32_t frames : {480U, 1U, 7U, 480U, 333U, 480U, 480U, 480U}) {
      std::vector<float> block(frames);
      for (std::uint32_t i = 0; i < frames; ++i) block[i] = static_cast<float>(position + i + 1);
      float* channel = block.data();
      line.process(delay, {&channel, 1, frames});
      for (std::uint32_t i = 0; i < frames; ++i)
        REQUIRE(block[i] ==
                (position + i < delay ? 0.0F : static_cast<float>(position + i - delay + 1)));
      position += frames;
    }
  }
}
