// SPDX-License-Identifier: MIT
#include "capture/selector.hpp"

#include <algorithm>
#include <charconv>

#include "capture/channel_weights.hpp"
#include "core/status.hpp"
#include "core/text_pattern.hpp"

namespace pypac {
namespace {

std::string_view without_exe(std::string_view name) {
  constexpr std::string_view kSuffix = ".exe";
  if (name.size() <= kSuffix.size()) return name;
  const std::string_view end = name.substr(name.size() - kSuffix.size());
  return text_matches(kSuffix, end) ? name.substr(0, name.size() - kSuffix.size()) : name;
}

}  // namespace

std::int64_t pid_of_pattern(std::string_view pattern) noexcept {
  std::int64_t pid = 0;
  const char* const end = pattern.data() + pattern.size();
  const auto [stop, error] = std::from_chars(pattern.data(), end, pid);
  return error == std::errc{} && stop == end && pid > 0 ? pid : 0;
}

bool name_matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty() || name.empty() || pid_of_pattern(pattern) != 0) return false;
  return text_matches(without_exe(pattern), without_exe(name)) || text_matches(pattern, name);
}

void check_source(const std::string& name, const Selector& selector, std::uint32_t channels) {
  if (channels < 1 || channels > kMaxSourceChannels) {
    throw Failure(ErrorKind::invalid_argument, "a source has 1 to 8 channels");
  }
  const bool named =
      selector.kind == SelectorKind::process || selector.kind == SelectorKind::device;
  if (named && selector.patterns.empty()) {
    throw Failure(ErrorKind::invalid_argument, "the source " + name + " names nothing to capture");
  }
  if (selector.channels.size() > 2 || std::ranges::count(selector.channels, 0U) != 0) {
    throw Failure(ErrorKind::invalid_argument, "a source takes one or two inputs, from 1 on");
  }
}

}  // namespace pypac
