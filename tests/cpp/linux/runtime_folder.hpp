// SPDX-License-Identifier: MIT
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace pypac::test {

/// A runtime folder of this test's own, gone with it.
class RuntimeFolder {
 public:
  RuntimeFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pypac-test-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    setenv("XDG_RUNTIME_DIR", folder_.c_str(), 1);
  }
  ~RuntimeFolder() {
    unsetenv("XDG_RUNTIME_DIR");
    std::filesystem::remove_all(folder_);
  }
  RuntimeFolder(const RuntimeFolder&) = delete;
  RuntimeFolder& operator=(const RuntimeFolder&) = delete;

  [[nodiscard]] std::filesystem::path tracks() const { return folder_ / "pypac-obs" / "tracks"; }

 private:
  std::filesystem::path folder_;
};

}  // namespace pypac::test
