// SPDX-License-Identifier: MIT
#include "filters/stereo_matrix.hpp"

#include "plugin/block_math.hpp"

namespace pypac {

StereoMatrix::StereoMatrix(std::uint32_t sample_rate, const StereoGains& gains) noexcept
    : left_of_left_(glide_frames(sample_rate), gains.left_of_left, true),
      left_of_right_(glide_frames(sample_rate), gains.left_of_right, true),
      right_of_left_(glide_frames(sample_rate), gains.right_of_left, true),
      right_of_right_(glide_frames(sample_rate), gains.right_of_right, true) {}

void StereoMatrix::aim(const StereoGains& gains) noexcept {
  left_of_left_.aim(gains.left_of_left);
  left_of_right_.aim(gains.left_of_right);
  right_of_left_.aim(gains.right_of_left);
  right_of_right_.aim(gains.right_of_right);
}

void StereoMatrix::forget() noexcept {
  for (Glide* const gain : {&left_of_left_, &left_of_right_, &right_of_left_, &right_of_right_})
    gain->forget();
}

void StereoMatrix::process(const AudioBlock& block) noexcept {
  const GlideBlock ll = left_of_left_.take(block.frames);
  const GlideBlock lr = left_of_right_.take(block.frames);
  const GlideBlock rl = right_of_left_.take(block.frames);
  const GlideBlock rr = right_of_right_.take(block.frames);
  float* const left = block.channels[0];
  if (block.channel_count == 1) {
    if (ll.is(1) && lr.is(0)) return;
    for (std::uint32_t i = 0; i < block.frames; ++i) left[i] *= ll.at(i) + lr.at(i);
    return;
  }
  float* const right = block.channels[1];
  if (lr.is(0) && rl.is(0)) {
    scale_block({&left, 1, block.frames}, ll);
    scale_block({&right, 1, block.frames}, rr);
    return;
  }
  for (std::uint32_t i = 0; i < block.frames; ++i) {
    const float l = left[i];
    const float r = right[i];
    left[i] = ll.at(i) * l + lr.at(i) * r;
    right[i] = rl.at(i) * l + rr.at(i) * r;
  }
}

}  // namespace pypac
