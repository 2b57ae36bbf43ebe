// SPDX-License-Identifier: MIT
#include "filters/builtin_filters.hpp"

#include "filters/channel_map.hpp"
#include "filters/delay.hpp"
#include "filters/eq.hpp"
#include "filters/gain.hpp"
#include "filters/high_pass.hpp"
#include "filters/invert.hpp"
#include "filters/leveller.hpp"
#include "filters/limiter.hpp"
#include "filters/low_pass.hpp"
#include "filters/mono.hpp"
#include "filters/pan.hpp"
#include "filters/width.hpp"

namespace pypac {

void add_builtin_filters(FilterRegistry& registry) {
  registry.add([] { return std::make_unique<ChannelMap>(); });
  registry.add([] { return std::make_unique<Delay>(); });
  registry.add([] { return std::make_unique<Eq>(); });
  registry.add([] { return std::make_unique<Gain>(); });
  registry.add([] { return std::make_unique<HighPass>(); });
  registry.add([] { return std::make_unique<Invert>(); });
  registry.add([] { return std::make_unique<Leveller>(); });
  registry.add([] { return std::make_unique<Limiter>(); });
  registry.add([] { return std::make_unique<LowPass>(); });
  registry.add([] { return std::make_unique<Mono>(); });
  registry.add([] { return std::make_unique<Pan>(); });
  registry.add([] { return std::make_unique<Width>(); });
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
