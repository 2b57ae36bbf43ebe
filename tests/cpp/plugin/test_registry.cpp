// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "core/status.hpp"
#include "filters/builtin_filters.hpp"
#include "plugin/registry.hpp"

using namespace pypac;

TEST_CASE("the registry makes filters by kind and refuses the unknown and the doubled") {
  FilterRegistry registry;
  add_builtin_filters(registry);
  CHECK(registry.kinds() == std::vector<std::string>{"gain"});
  CHECK(registry.info("gain").params[0].id == "gain_db");
  CHECK_THROWS_AS(static_cast<void>(registry.info("reverb")), Failure);
  CHECK(registry.create("gain") != nullptr);
  CHECK_THROWS_AS(static_cast<void>(registry.create("reverb")), Failure);
  CHECK_THROWS_AS(add_builtin_filters(registry), Failure);
}
