// SPDX-License-Identifier: MIT
#include "os/windows/track_entry.hpp"

#include <algorithm>
#include <random>
#include <string_view>

#include "os/runtime_folder.hpp"
#include "os/windows/handle.hpp"
#include "os/windows/wide_text.hpp"

namespace pypac {
namespace {

// Local: to this user's log-on. A service or another desktop session has names of its own.
constexpr std::string_view kNameStart = "Local\\pypac-obs-";
constexpr std::string_view kDigits = "0123456789abcdef";

std::wstring variable(const wchar_t* name) {
  std::array<wchar_t, MAX_PATH + 1> value;
  const DWORD length =
      GetEnvironmentVariableW(name, value.data(), static_cast<DWORD>(value.size()));
  return length < value.size() ? std::wstring(value.data(), length) : std::wstring();
}

}  // namespace

std::string runtime_folder() {
  // Only a path from a drive's or a share's root: \folder and C:folder depend on where one stands.
  const auto is_absolute = [](const std::wstring& path) {
    return path.starts_with(L"\\\\") ||
           (path.size() > 2 && path[1] == L':' && (path[2] == L'\\' || path[2] == L'/'));
  };
  // Not in AppData: what a packaged program (a Python from the Microsoft Store) makes there, no
  // other program sees.
  std::wstring folder = variable(L"USERPROFILE");
  if (!is_absolute(folder)) folder = L"C:";
  std::ranges::replace(folder, L'/', L'\\');
  while (folder.ends_with(L'\\')) folder.pop_back();
  return utf8_of(folder) + "\\.pypac-obs";
}

std::wstring TrackEntry::tracks_folder() {
  // Without this Windows takes "name." for "name" and "con" for the console, and ends at 260.
  const std::wstring folder = wide_of(runtime_folder()) + L"\\tracks";
  if (folder.starts_with(L"\\\\?\\")) return folder;
  if (folder.starts_with(L"\\\\")) return L"\\\\?\\UNC" + folder.substr(1);
  return L"\\\\?\\" + folder;
}

std::string TrackEntry::new_name() {
  std::random_device random;
  std::string name(kNameStart);
  while (name.size() < kNameLength) name += kDigits[random() % kDigits.size()];
  return name;
}

bool TrackEntry::read(const std::wstring& path, Name& name) noexcept {
  // Shared with everything: a reader must not keep a writer from its entry.
  const Handle file(CreateFileW(path.c_str(), GENERIC_READ,
                                FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, nullptr));
  if (!file || GetFileType(file.get()) != FILE_TYPE_DISK) return false;
  std::array<char, kNameLength + 2> bytes;
  DWORD length = 0;
  if (ReadFile(file.get(), bytes.data(), static_cast<DWORD>(bytes.size()), &length, nullptr) == 0)
    return false;
  const std::string_view text(bytes.data(), length);
  // Without its end it is still being written.
  if (text.size() != kNameLength + 1 || text.back() != '\n' || !text.starts_with(kNameStart) ||
      text.substr(0, kNameLength).find_first_not_of(kDigits, kNameStart.size()) !=
          std::string_view::npos)
    return false;
  std::copy_n(text.begin(), kNameLength, name.begin());
  name.back() = L'\0';
  return true;
}

}  // namespace pypac
