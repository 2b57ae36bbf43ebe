// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>
#include <windows.h>

#include <cstddef>
#include <cstring>
#include <string>

#include "os/windows/handle.hpp"
#include "os/windows/track_entry.hpp"
#include "os/windows/wide_text.hpp"

namespace pypac::test {

/// The memory of a shared track, to be written to behind its writer's back.
class TrackMemory {
 public:
  explicit TrackMemory(const std::string& path) {
    TrackEntry::Name name;
    REQUIRE(TrackEntry::read(wide_of(path), name));
    const Handle section(OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, name.data()));
    REQUIRE(section);
    view_ = static_cast<std::byte*>(
        MapViewOfFile(section.get(), FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0));
    REQUIRE(view_ != nullptr);
  }
  ~TrackMemory() { UnmapViewOfFile(view_); }
  TrackMemory(const TrackMemory&) = delete;
  TrackMemory& operator=(const TrackMemory&) = delete;

  void put(std::size_t offset, const void* from, std::size_t bytes) {
    std::memcpy(view_ + offset, from, bytes);
  }
  void get(std::size_t offset, void* to, std::size_t bytes) const {
    std::memcpy(to, view_ + offset, bytes);
  }

 private:
  std::byte* view_ = nullptr;
};

}  // namespace pypac::test
