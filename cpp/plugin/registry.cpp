// SPDX-License-Identifier: MIT
#include "plugin/registry.hpp"

#include <utility>

#include "core/status.hpp"

namespace pypac {
namespace {

/// What is left out of a profile takes its default, so that has to be a value that is allowed.
void check(const PluginInfo& info) {
  for (const ParamInfo& param : info.params)
    if (param.fallback) static_cast<void>(checked_value(info, param, *param.fallback));
}

}  // namespace

void FilterRegistry::add(const Factory& factory) {
  const PluginInfo& info = factory()->info();
  check(info);
  const std::lock_guard lock(*mutex_);
  if (!entries_.emplace(info.kind, Entry{factory, &info}).second)
    throw Failure(ErrorKind::invalid_argument,
                  "a filter of kind \"" + info.kind + "\" exists already");
}

void FilterRegistry::put(const Factory& factory) {
  const PluginInfo& info = factory()->info();
  check(info);
  const std::lock_guard lock(*mutex_);
  entries_.insert_or_assign(info.kind, Entry{factory, &info});
}

FilterRegistry::Entry FilterRegistry::entry(const std::string& kind) const {
  const std::lock_guard lock(*mutex_);
  const auto found = entries_.find(kind);
  if (found == entries_.end())
    throw Failure(ErrorKind::invalid_argument, "there is no filter of kind \"" + kind + "\"");
  return found->second;
}

std::unique_ptr<Filter> FilterRegistry::create(const std::string& kind) const {
  return entry(kind).factory();
}

PluginInfo FilterRegistry::info(const std::string& kind) const {
  const Entry found = entry(kind);  // its factory keeps the description
  return *found.info;
}

std::vector<std::string> FilterRegistry::kinds() const {
  const std::lock_guard lock(*mutex_);
  std::vector<std::string> kinds;
  kinds.reserve(entries_.size());
  for (const auto& [kind, entry] : entries_) kinds.push_back(kind);
  return kinds;
}

}  // namespace pypac
