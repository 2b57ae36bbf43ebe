// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "dsp/biquad.hpp"
#include "filters/bank_filter.hpp"
#include "plugin/filter.hpp"

namespace pypac {

/// A filter that is a cascade of biquads, computed side by side with others of its kind.
class CascadeFilter : public BankFilter {
 public:
  void activate(const Activation& activation) final;
  void process_bank(std::span<Filter* const> bank,
                    std::span<const ProcessContext> contexts) noexcept final;
  void reset() noexcept final { cascade_.reset(); }

 protected:
  /// [pump] Keeps a parameter's value.
  virtual void keep(std::size_t index, double value) noexcept = 0;
  /// [pump] Brings what was kept to the cascade.
  virtual void design(BiquadCascade& cascade, double sample_rate) noexcept = 0;

 private:
  void change(std::span<const ParamChange> changes) noexcept;

  BiquadCascade cascade_;  // pump only, as all below
  double sample_rate_ = 48000;
};

}  // namespace pypac
