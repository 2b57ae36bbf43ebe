// SPDX-License-Identifier: MIT
#include "os/passed_memory.hpp"

#include <windows.h>

#include <cstring>

#include "core/status.hpp"
#include "core/thread_role.hpp"
#include "os/windows/handle.hpp"
#include "os/windows/wide_text.hpp"

namespace pypac {
namespace {

[[noreturn]] void fail(ErrorKind kind, const char* what) {
  const DWORD error = GetLastError();
  throw Failure(kind, std::string(what) + ": " + error_text(error), {}, static_cast<long>(error));
}

std::byte* map(const Handle& section, std::size_t bytes) {
  return static_cast<std::byte*>(
      MapViewOfFile(section.get(), FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, bytes));
}

}  // namespace

struct PassedMemory::Native {
  Handle section;
};

PassedMemory::PassedMemory(std::size_t bytes) : native_(std::make_unique<Native>()), size_(bytes) {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::uint64_t size = bytes;
  // In the page file: all of it is there from now on, or this fails.
  native_->section =
      Handle(CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE,
                                static_cast<DWORD>(size >> 32), static_cast<DWORD>(size), nullptr));
  if (!native_->section || !(data_ = map(native_->section, bytes)))
    fail(ErrorKind::output_failed, "memory cannot be shared");
  std::memset(data_, 0, bytes);  // touched here, so that the pump takes no page fault
}

PassedMemory::PassedMemory(std::intptr_t handle, std::size_t bytes)
    : native_(std::make_unique<Native>()), size_(bytes) {
  native_->section = Handle(reinterpret_cast<HANDLE>(handle));
  if (!(data_ = map(native_->section, bytes)))
    fail(ErrorKind::invalid_argument, "the shared memory cannot be mapped");
}

PassedMemory::~PassedMemory() {
  UnmapViewOfFile(data_);
}

std::intptr_t PassedMemory::handle() const noexcept {
  return reinterpret_cast<std::intptr_t>(native_->section.get());
}

}  // namespace pypac
