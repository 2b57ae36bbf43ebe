// SPDX-License-Identifier: MIT
#pragma once

#include <windows.h>

#include <filesystem>
#include <string>

namespace pypac::test {

/// A runtime folder of this test's own, gone with it.
class RuntimeFolder {
 public:
  RuntimeFolder() : before_(32768, L'\0') {
    static int count = 0;
    const DWORD length =
        GetEnvironmentVariableW(kVariable, before_.data(), static_cast<DWORD>(before_.size()));
    before_.resize(length);
    folder_ =
        std::filesystem::temp_directory_path() /
        ("pypac-test-" + std::to_string(GetCurrentProcessId()) + "-" + std::to_string(++count));
    std::filesystem::create_directory(folder_);
    SetEnvironmentVariableW(kVariable, folder_.c_str());
  }
  ~RuntimeFolder() {
    SetEnvironmentVariableW(kVariable, before_.empty() ? nullptr : before_.c_str());
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  RuntimeFolder(const RuntimeFolder&) = delete;
  RuntimeFolder& operator=(const RuntimeFolder&) = delete;

  [[nodiscard]] std::filesystem::path tracks() const { return folder_ / ".pypac-obs" / "tracks"; }

 private:
  static constexpr const wchar_t* kVariable = L"USERPROFILE";
  std::filesystem::path folder_;
  std::wstring before_;
};

}  // namespace pypac::test
