// SPDX-License-Identifier: MIT
#pragma once

#include "plugin/filter.hpp"

namespace pypac {

/// A kind that is computed side by side with others of it: alone it is a bank of one.
class BankFilter : public Filter {
 public:
  void process(const ProcessContext& context) noexcept final {
    Filter* const self = this;
    process_bank({&self, 1}, {&context, 1});
  }
  void process_bank(std::span<Filter* const> bank,
                    std::span<const ProcessContext> contexts) noexcept override = 0;
};

}  // namespace pypac
