// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <fstream>
#include <string>

namespace pypac::test {

/// The memory of a shared track, to be written to behind its writer's back.
class TrackMemory {
 public:
  explicit TrackMemory(const std::string& path)
      : file_(path, std::ios::in | std::ios::out | std::ios::binary) {
    REQUIRE(file_);
  }

  void put(std::size_t offset, const void* from, std::size_t bytes) {
    file_.seekp(static_cast<std::streamoff>(offset));
    file_.write(static_cast<const char*>(from), static_cast<std::streamsize>(bytes));
    file_.flush();
    REQUIRE(file_);
  }
  void get(std::size_t offset, void* to, std::size_t bytes) {
    file_.seekg(static_cast<std::streamoff>(offset));
    file_.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
    REQUIRE(file_);
  }

 private:
  std::fstream file_;
};

}  // namespace pypac::test
