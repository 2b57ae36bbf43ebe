// SPDX-License-Identifier: MIT
#pragma once

#include "plugin/registry.hpp"

namespace pypac {

/// [control-thread] Makes all built-in filters known.
void add_builtin_filters(FilterRegistry& registry);

/// [any-thread] All built-in filters, and nothing else. Made once.
[[nodiscard]] const FilterRegistry& builtin_filters();

}  // namespace pypac
