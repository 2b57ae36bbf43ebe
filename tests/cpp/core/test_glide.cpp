// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "core/flush_to_zero.hpp"
#include "core/glide.hpp"

using namespace pypac;

namespace {

std::vector<float> take(Glide& glide, std::uint32_t frames) {
  const GlideBlock block = glide.take(frames);
  std::vector<float> values;
  for (std::uint32_t i = 0; i < frames; ++i) values.push_back(block.at(i));
  return values;
}

}  // namespace

TEST_CASE("a glide goes in a straight line, whatever the blocks, and stands where it was aimed") {
  Glide glide(4, 1);
  CHECK(take(glide, 2) == std::vector<float>{1, 1});
  glide.aim(0);
  CHECK_FALSE(glide.stands_at(0));
  CHECK(take(glide, 3) == std::vector<float>{0.75F, 0.5F, 0.25F});
  CHECK(take(glide, 3) == std::vector<float>{0, 0, 0});
  CHECK(glide.stands_at(0));
}

TEST_CASE("a glide that is aimed elsewhere goes on from where it is") {
  Glide glide(4, 0);
  glide.aim(1);
  CHECK(take(glide, 2) == std::vector<float>{0.25F, 0.5F});
  glide.aim(0);
  CHECK(take(glide, 5) == std::vector<float>{0.375F, 0.25F, 0.125F, 0, 0});
  glide.jump(1);
  CHECK(take(glide, 1) == std::vector<float>{1});
}

TEST_CASE("blocks of any length give the same values of a glide, bit for bit") {
  std::vector<float> whole;
  for (const std::uint32_t frames : {1000U, 1U, 7U, 64U}) {
    Glide glide(480, 0.9F);
    std::vector<float> values;
    const auto take_until = [&](std::size_t end) {
      while (values.size() < end) {
        const auto most = static_cast<std::uint32_t>(end - values.size());
        for (const float value : take(glide, std::min(frames, most))) values.push_back(value);
      }
    };
    glide.aim(0.013F);
    take_until(333);
    glide.aim(0.7F);
    take_until(1000);
    if (whole.empty()) whole = values;
    CHECK(values == whole);
    CHECK(values.back() == 0.7F);
  }
}

TEST_CASE("numbers too small to be normal are 0 while they are flushed, and only then") {
  volatile float tiny = 1e-38F;
  volatile float less = 0;
  {
    const ScopedFlushToZero flush;
    less = tiny * 0.01F;
#if defined(__SSE2__) || defined(__aarch64__)
    CHECK(less == 0);
#endif
  }
  less = tiny * 0.01F;
  CHECK(less > 0);
}
