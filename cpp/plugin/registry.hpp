// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plugin/filter.hpp"

namespace pypac {

/// The filters that a profile can name, by kind.
class FilterRegistry {
 public:
  using Factory = std::function<std::unique_ptr<Filter>()>;

  /// [control-thread] Under the kind that its info() says. Throws Failure(invalid_argument) where
  /// the kind is taken, or its description makes no sense.
  void add(const Factory& factory);

  /// [control-thread] Throws Failure(invalid_argument) where nothing has that kind.
  [[nodiscard]] std::unique_ptr<Filter> create(const std::string& kind) const;

  /// [control-thread] Throws Failure(invalid_argument) where nothing has that kind.
  [[nodiscard]] const PluginInfo& info(const std::string& kind) const;

  /// [control-thread] In alphabetical order.
  [[nodiscard]] std::vector<std::string> kinds() const;

 private:
  struct Entry {
    Factory factory;
    const PluginInfo* info;
  };
  [[nodiscard]] const Entry& entry(const std::string& kind) const;

  std::map<std::string, Entry> entries_;
};

}  // namespace pypac
