// SPDX-License-Identifier: MIT
#pragma once

#include "plugin/registry.hpp"

namespace pypac {

/// [control-thread] Makes all built-in filters known.
void add_builtin_filters(FilterRegistry& registry);

}  // namespace pypac
