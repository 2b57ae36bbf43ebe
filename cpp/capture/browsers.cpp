// SPDX-License-Identifier: MIT
#include "capture/browsers.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace pypac {
namespace {

// File names, without .exe, sorted. Chrome's and Edge's on Linux are chrome and msedge.
constexpr std::array<std::string_view, 31> kBrowsers{"arc",
                                                     "brave",
                                                     "brave-browser",
                                                     "chrome",
                                                     "chromium",
                                                     "chromium-bin",
                                                     "chromium-browser",
                                                     "epiphany",
                                                     "falkon",
                                                     "firefox",
                                                     "firefox-bin",
                                                     "firefox-esr",
                                                     "floorp",
                                                     "google-chrome",
                                                     "iexplore",
                                                     "iridium",
                                                     "konqueror",
                                                     "librewolf",
                                                     "midori",
                                                     "msedge",
                                                     "mullvad-browser",
                                                     "opera",
                                                     "palemoon",
                                                     "qutebrowser",
                                                     "seamonkey",
                                                     "thorium",
                                                     "ungoogled-chromium",
                                                     "vivaldi",
                                                     "vivaldi-bin",
                                                     "waterfox",
                                                     "zen"};

static_assert(std::ranges::is_sorted(kBrowsers));

// The longest name with .exe.
constexpr std::size_t kMostLetters = 32;

/// As `name_matches` for each of the names, in one search: this is asked for every ancestor of
/// every stream, by every source.
bool is_browser_name(std::string_view name) {
  constexpr std::string_view kSuffix = ".exe";
  if (name.size() > kMostLetters) return false;
  std::array<char, kMostLetters> letters;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    letters[i] = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  std::string_view stem(letters.data(), name.size());
  if (stem.size() > kSuffix.size() && stem.ends_with(kSuffix)) stem.remove_suffix(kSuffix.size());
  return std::ranges::binary_search(kBrowsers, stem);
}

}  // namespace

bool is_browser(const ProcessEntry& process) {
  return is_browser_name(process.executable) ||
         (process.executable.starts_with("wine") && is_browser_name(process.command));
}

}  // namespace pypac
