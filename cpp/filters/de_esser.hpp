// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "filters/dynamics.hpp"

namespace pypac {

/// Makes hissing consonants quieter: a compressor of the band around `frequency_hz`, or of the
/// whole track by that band's level. Without a reduction every bit stays as it is.
///
/// Split: x + (gain - 1) band(x), with the cookbook's band-pass, is the cookbook's bell: a tone at
/// the frequency gets all of the gain.
class DeEsser final : public CurveDynamics {
 public:
  DeEsser() noexcept;
  [[nodiscard]] const PluginInfo& info() const noexcept override;

 private:
  [[nodiscard]] Tuning tuning() const noexcept override;
  void prepare(const Activation& activation) override;
  void tune(bool at_once) noexcept override;
  void forget() noexcept override;
  void listen(Bank bank, std::span<const ProcessContext> contexts) noexcept override;
  void apply(const AudioBlock& audio) noexcept override;

  BiquadCascade filter_;
  std::optional<BlockBuffer> band_;
};

}  // namespace pypac
