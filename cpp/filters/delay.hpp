// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "plugin/filter.hpp"

namespace pypac {

/// Makes a track later than the others by `delay_ms`, or earlier.
///
/// Later: what the session does not know of, and so does not take back. Earlier: the filter passes
/// everything and tells of a latency, for which the session has all other tracks wait; what is
/// bypassed instead waits as they do.
class Delay final : public Filter {
 public:
  [[nodiscard]] const PluginInfo& info() const noexcept override;
  void activate(const Activation& activation) override;
  void process(const ProcessContext& context) noexcept override;
  void reset() noexcept override;
  [[nodiscard]] std::uint32_t latency_frames() const noexcept override { return earlier_; }
  [[nodiscard]] std::uint32_t tail_frames() const noexcept override {
    return static_cast<std::uint32_t>(later_);
  }

 private:
  std::uint32_t earlier_ = 0;
  std::size_t later_ = 0;
  std::vector<float> line_;  // pump only, as all below; of each channel `later_` samples
  std::size_t at_ = 0;       // in each channel's line
  std::size_t silent_ = 0;   // frames until what comes out was put in since the reset
};

}  // namespace pypac
