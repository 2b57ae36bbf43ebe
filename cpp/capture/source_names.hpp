// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include "core/status.hpp"

namespace pypac {

inline constexpr std::size_t kMaxSources = 256;

/// [control-thread] The one of that name in a container of what has a `name`. Throws
/// Failure(invalid_argument).
template <typename Sources>
[[nodiscard]] auto find_source(Sources& sources, const std::string& name) {
  const auto at = std::ranges::find(sources, name, &Sources::value_type::name);
  if (at == sources.end()) {
    throw Failure(ErrorKind::invalid_argument, "there is no source " + name);
  }
  return at;
}

/// [control-thread] Throws Failure(invalid_argument) where they have no room for another one of
/// that name.
template <typename Sources>
void check_room(const Sources& sources, const std::string& name) {
  if (std::ranges::find(sources, name, &Sources::value_type::name) != sources.end()) {
    throw Failure(ErrorKind::invalid_argument, "there is a source " + name + " already");
  }
  if (sources.size() == kMaxSources) {
    throw Failure(ErrorKind::invalid_argument, "a session has at most 256 sources");
  }
}

}  // namespace pypac
