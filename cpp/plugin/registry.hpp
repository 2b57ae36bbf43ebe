// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
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

  /// [control-thread] The same in the place of another one of that kind. Those that were created
  /// stay what they are.
  void put(const Factory& factory);

  /// [control-thread] Throws Failure(invalid_argument) where nothing has that kind.
  [[nodiscard]] std::unique_ptr<Filter> create(const std::string& kind) const;

  /// [control-thread] Throws Failure(invalid_argument) where nothing has that kind.
  [[nodiscard]] PluginInfo info(const std::string& kind) const;

  /// [control-thread] In alphabetical order.
  [[nodiscard]] std::vector<std::string> kinds() const;

 private:
  struct Entry {
    Factory factory;
    const PluginInfo* info;
  };
  [[nodiscard]] Entry entry(const std::string& kind) const;

  // Kinds come while sessions run, and several threads are control threads. Owned, so that a
  // registry can be moved.
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
  std::map<std::string, Entry> entries_;
};

}  // namespace pypac
