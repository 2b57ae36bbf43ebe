// SPDX-License-Identifier: MIT
// Processes of packaged apps. Wine has none: what asks Windows for them is this program's own here,
// in place of package_family.cpp's.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "os/process_snapshot.hpp"
#include "os/windows/package_family.hpp"

namespace {

int own_asked = 0;  // how often, for this process

}  // namespace

namespace pypac {

GetPackageFamily get_package_family() noexcept {
  return nullptr;
}

std::string package_family_of(HANDLE process, GetPackageFamily) {
  if (GetProcessId(process) != GetCurrentProcessId()) return {};
  ++own_asked;
  return "Maker.App_0123456789abc";
}

}  // namespace pypac

TEST_CASE("a snapshot keeps the package of a process from look to look") {
  pypac::ProcessSnapshot snapshot;
  for (int look = 0; look < 3; ++look) {
    snapshot.refresh();
    const auto& all = snapshot.processes();
    const auto own = std::ranges::find(all, pypac::current_process_id(), &pypac::ProcessEntry::pid);
    REQUIRE(own != all.end());
    CHECK(own->package == "Maker.App_0123456789abc");
    CHECK(own_asked == 1);
  }
}
