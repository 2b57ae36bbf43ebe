// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/status.hpp"
#include "filters/builtin_filters.hpp"
#include "plugin/registry.hpp"

using namespace pypac;

TEST_CASE("the registry makes filters by kind and refuses the unknown and the doubled") {
  FilterRegistry registry;
  add_builtin_filters(registry);
  const std::vector<std::string> kinds = registry.kinds();
  CHECK(std::ranges::count(kinds, "gain") == 1);
  CHECK(std::ranges::is_sorted(kinds));
  CHECK(registry.info("gain").params[0].id == "gain_db");
  CHECK_THROWS_AS(static_cast<void>(registry.info("reverb")), Failure);
  CHECK(registry.create("gain") != nullptr);
  CHECK_THROWS_AS(static_cast<void>(registry.create("reverb")), Failure);
  CHECK_THROWS_AS(add_builtin_filters(registry), Failure);
}
