// SPDX-License-Identifier: MIT
#include "plugin/registry.hpp"

#include <utility>

#include "core/status.hpp"

namespace pypac {

void FilterRegistry::add(const std::string& kind, Factory factory) {
  if (!factories_.emplace(kind, std::move(factory)).second)
    throw Failure(ErrorKind::invalid_argument, "a filter of kind \"" + kind + "\" exists already");
}

std::unique_ptr<Filter> FilterRegistry::create(const std::string& kind) const {
  const auto found = factories_.find(kind);
  if (found == factories_.end())
    throw Failure(ErrorKind::invalid_argument, "there is no filter of kind \"" + kind + "\"");
  return found->second();
}

std::vector<std::string> FilterRegistry::kinds() const {
  std::vector<std::string> kinds;
  kinds.reserve(factories_.size());
  for (const auto& [kind, factory] : factories_) kinds.push_back(kind);
  return kinds;
}

}  // namespace pypac
