// SPDX-License-Identifier: MIT
#include "os/passed_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/status.hpp"
#include "core/thread_role.hpp"
#include "os/linux/user_folder.hpp"

namespace pypac {
namespace {

[[noreturn]] void fail(ErrorKind kind, const char* what) {
  const int error = errno;
  throw Failure(kind, std::string(what) + ": " + std::strerror(error), {}, error);
}

std::byte* map(const FileDescriptor& file, std::size_t bytes) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
}

}  // namespace

struct PassedMemory::Native {
  FileDescriptor file;
};

PassedMemory::PassedMemory(std::size_t bytes) : native_(std::make_unique<Native>()), size_(bytes) {
  PYPAC_ASSERT_NOT_REALTIME();
  native_->file = FileDescriptor(memfd_create("pypac-obs", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const int file = native_->file.get();
  // Nobody can cut it off: a page that is missing would be a SIGBUS on the pump.
  if (file < 0 || ftruncate(file, static_cast<off_t>(bytes)) != 0 ||
      fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    fail(ErrorKind::output_failed, "memory cannot be shared");
  data_ = map(native_->file, bytes);
  if (data_ == nullptr) fail(ErrorKind::output_failed, "memory cannot be shared");
  std::memset(data_, 0, bytes);  // touched here, so that the pump takes no page fault
}

PassedMemory::PassedMemory(std::intptr_t handle, std::size_t bytes)
    : native_(std::make_unique<Native>()), size_(bytes) {
  native_->file = FileDescriptor(static_cast<int>(handle));
  struct stat found {};
  if (fstat(native_->file.get(), &found) != 0)
    fail(ErrorKind::invalid_argument, "the shared memory is not there");
  if (static_cast<std::uint64_t>(found.st_size) < bytes)
    throw Failure(ErrorKind::invalid_argument, "the shared memory is too short");
  data_ = map(native_->file, bytes);
  if (data_ == nullptr) fail(ErrorKind::invalid_argument, "the shared memory cannot be mapped");
}

PassedMemory::~PassedMemory() {
  munmap(data_, size_);
}

std::intptr_t PassedMemory::handle() const noexcept {
  return native_->file.get();
}

}  // namespace pypac
