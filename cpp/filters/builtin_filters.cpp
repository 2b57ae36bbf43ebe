// SPDX-License-Identifier: MIT
#include "filters/builtin_filters.hpp"

#include "filters/gain.hpp"

namespace pypac {

void add_builtin_filters(FilterRegistry& registry) {
  registry.add("gain", [] { return std::make_unique<Gain>(); });
}

}  // namespace pypac
