// SPDX-License-Identifier: MIT
#include "capture/browsers.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "capture/selector.hpp"

namespace pypac {
namespace {

// File names, without .exe. Chrome's and Edge's on Linux are chrome and msedge.
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
                                                     "mullvad-browser",
                                                     "msedge",
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

}  // namespace

bool is_browser(const ProcessEntry& process) {
  return std::ranges::any_of(kBrowsers, [&](std::string_view name) {
    return name_matches(name, process.executable) ||
           (process.executable.starts_with("wine") && name_matches(name, process.command));
  });
}

}  // namespace pypac
