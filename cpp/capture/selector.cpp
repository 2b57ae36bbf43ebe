// SPDX-License-Identifier: MIT
#include "capture/selector.hpp"

#include <algorithm>
#include <charconv>

#include "capture/channel_weights.hpp"
#include "core/status.hpp"

namespace pypac {
namespace {

// ASCII only: program names in other alphabets match by their exact case.
char folded(char letter) noexcept {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

/// The length of a glob's `[...]` at its start, or 0 if it is no such class.
std::size_t class_length(std::string_view glob) noexcept {
  std::size_t at = 1;
  if (at < glob.size() && (glob[at] == '!' || glob[at] == '^')) ++at;
  if (at < glob.size() && glob[at] == ']') ++at;  // a ] right at the beginning stands for itself
  while (at < glob.size() && glob[at] != ']') ++at;
  return at < glob.size() ? at + 1 : 0;
}

bool class_holds(std::string_view members, char letter) noexcept {
  const bool inverted = !members.empty() && (members[0] == '!' || members[0] == '^');
  if (inverted) members.remove_prefix(1);
  bool found = false;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (i + 2 < members.size() && members[i + 1] == '-') {
      found = found || (folded(members[i]) <= letter && letter <= folded(members[i + 2]));
      i += 2;
    } else {
      found = found || folded(members[i]) == letter;
    }
  }
  return found != inverted;
}

/// Linear in the name but for the last `*`, to which it goes back: no pattern takes exponential
/// time.
bool glob_matches(std::string_view glob, std::string_view name) noexcept {
  std::size_t g = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (n < name.size()) {
    bool same = false;
    std::size_t taken = 1;
    if (g < glob.size()) {
      if (glob[g] == '*') {
        star = g++;
        resume = n;
        continue;
      }
      const std::size_t length = glob[g] == '[' ? class_length(glob.substr(g)) : 0;
      if (length != 0) {
        same = class_holds(glob.substr(g + 1, length - 2), folded(name[n]));
        taken = length;
      } else {
        same = glob[g] == '?' || folded(glob[g]) == folded(name[n]);
      }
    }
    if (same) {
      g += taken;
      ++n;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

std::string_view without_exe(std::string_view name) noexcept {
  constexpr std::string_view kSuffix = ".exe";
  if (name.size() <= kSuffix.size()) return name;
  const std::string_view end = name.substr(name.size() - kSuffix.size());
  for (std::size_t i = 0; i < kSuffix.size(); ++i) {
    if (folded(end[i]) != kSuffix[i]) return name;
  }
  return name.substr(0, name.size() - kSuffix.size());
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
  return glob_matches(without_exe(pattern), without_exe(name)) || glob_matches(pattern, name);
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
