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

  /// [control-thread] Throws Failure(invalid_argument) where the kind is taken.
  void add(const std::string& kind, Factory factory);

  /// [control-thread] Throws Failure(invalid_argument) where nothing has that kind.
  [[nodiscard]] std::unique_ptr<Filter> create(const std::string& kind) const;

  /// [control-thread] In alphabetical order.
  [[nodiscard]] std::vector<std::string> kinds() const;

 private:
  std::map<std::string, Factory> factories_;
};

}  // namespace pypac
