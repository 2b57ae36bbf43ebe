// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "core/glide.hpp"
#include "host/block_buffer.hpp"

namespace pypac {

/// How one send brings a source's channels into a track's.
///
/// Same number of channels: each into its own. Mono into several: into all of them. Several into
/// mono: their mean. Otherwise the channels that both have.
/// Example: 1,2,3 with gain 1 added to 4,5,6 gives 5,7,9.
class Mixer {
 public:
  /// [pump] `first` writes the track's block instead of adding to it: a single send with gain 1 is
  /// a copy, bit for bit.
  static void send(BlockView source, const GlideBlock& gain, bool first,
                   const AudioBlock& track) noexcept;
  /// [pump]
  static void clear(const AudioBlock& track) noexcept;
  /// [pump] In place.
  static void scale(const AudioBlock& track, const GlideBlock& gain) noexcept;
};

}  // namespace pypac
