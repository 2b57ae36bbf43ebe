// SPDX-License-Identifier: MIT
#include "os/windows/package_family.hpp"

#include <array>
#include <string_view>

#include "os/valid_utf8.hpp"
#include "os/windows/wide_text.hpp"

namespace pypac {
namespace {

// PACKAGE_FAMILY_NAME_MAX_LENGTH of appmodel.h, and the zero behind it.
constexpr std::size_t kLongestFamily = 64 + 1;

}  // namespace

GetPackageFamily get_package_family() noexcept {
  const HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
  const FARPROC found = kernel ? GetProcAddress(kernel, "GetPackageFamilyName") : nullptr;
  return reinterpret_cast<GetPackageFamily>(reinterpret_cast<void*>(found));
}

std::string package_family_of(HANDLE process, GetPackageFamily ask) {
  std::array<wchar_t, kLongestFamily> family{};
  auto length = static_cast<UINT32>(family.size());
  if (!ask || ask(process, &length, family.data()) != ERROR_SUCCESS) return {};
  const std::wstring_view text(family.data(), family.size());
  return valid_utf8(utf8_of(text.substr(0, text.find(L'\0'))));
}

}  // namespace pypac
