// SPDX-License-Identifier: MIT
#include "filters/builtin_filters.hpp"

#include "filters/eq.hpp"
#include "filters/gain.hpp"
#include "filters/high_pass.hpp"
#include "filters/leveller.hpp"
#include "filters/low_pass.hpp"

namespace pypac {

void add_builtin_filters(FilterRegistry& registry) {
  registry.add([] { return std::make_unique<Eq>(); });
  registry.add([] { return std::make_unique<Gain>(); });
  registry.add([] { return std::make_unique<HighPass>(); });
  registry.add([] { return std::make_unique<Leveller>(); });
  registry.add([] { return std::make_unique<LowPass>(); });
}

const FilterRegistry& builtin_filters() {
  static const FilterRegistry registry = [] {
    FilterRegistry all;
    add_builtin_filters(all);
    return all;
  }();
  return registry;
}

}  // namespace pypac
