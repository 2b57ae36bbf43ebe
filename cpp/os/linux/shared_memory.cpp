// SPDX-License-Identifier: MIT
#include "os/shared_memory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <thread>

#include "core/thread_role.hpp"
#include "os/linux/mapping_guard.hpp"
#include "os/linux/user_folder.hpp"
#include "os/runtime_folder.hpp"

namespace pypac {
namespace {

// Neither is a name that file_name_of() gives: both begin with a dot.
constexpr const char* kLockName = ".lock";
constexpr const char* kNewName = ".new";
// Who holds the lock makes or removes one file.
constexpr int kLockTries = 200;
constexpr auto kLockPause = std::chrono::milliseconds(10);

[[noreturn]] void fail(const std::string& what, int error) {
  const bool refused =
      error == EACCES || error == EPERM || error == EROFS || error == ELOOP || error == ENOTDIR;
  std::string remedy;
  if (error == ENOSPC || error == ENOMEM || error == EDQUOT)
    remedy = "make room there, or ask for shorter rings";
  else if (refused)
    remedy = "that folder has to be this user's own, with mode 0700";
  throw Failure(refused ? ErrorKind::permission_denied : ErrorKind::output_failed,
                what + ": " + std::strerror(error), remedy, error);
}

std::string checked_file_name(const char* what, const std::string& name) {
  const std::optional<std::string> file_name = file_name_of(name);
  if (!file_name)
    throw Failure(ErrorKind::invalid_argument,
                  std::string("the ") + what + " name \"" + name + "\" cannot be a file's name",
                  "shorten it");
  return *file_name;
}

FileDescriptor make_folder(int parent, const std::string& name, const std::string& path) {
  FileDescriptor folder = make_user_folder(parent, name);
  if (!folder) fail("the folder " + path + " cannot be used", errno);
  return folder;
}

bool take_lock(const FileDescriptor& file) noexcept {
  return flock(file.get(), LOCK_EX | LOCK_NB) == 0;
}

/// Keeps others from making or removing shared files for as long as it lives. None: somebody holds
/// it without end.
FileDescriptor lock_folder(const FileDescriptor& folder) noexcept {
  FileDescriptor lock(openat(folder.get(), kLockName,
                             O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!lock) return {};
  for (int tries = 0; tries < kLockTries; ++tries) {
    if (take_lock(lock)) return lock;
    if (errno != EWOULDBLOCK && errno != EINTR) return {};
    std::this_thread::sleep_for(kLockPause);
  }
  errno = EBUSY;
  return {};
}

/// A writer holds its file locked while it lives: the system lets go when the process ends, however
/// it ends.
bool has_writer(const FileDescriptor& folder, const char* name) noexcept {
  const FileDescriptor file(
      openat(folder.get(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  return file && !take_lock(file) && errno == EWOULDBLOCK;
}

/// No folder, link or pipe: those are nobody's that writes tracks, and stay.
bool is_own_file(const FileDescriptor& folder, const char* name) noexcept {
  struct stat found {};
  return fstatat(folder.get(), name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode) &&
         found.st_uid == geteuid();
}

/// What writers left that were killed. Under the lock.
void remove_dead(const FileDescriptor& folder) {
  struct CloseFolder {
    void operator()(DIR* open) const { closedir(open); }
  };
  const int duplicate = fcntl(folder.get(), F_DUPFD_CLOEXEC, 0);
  const std::unique_ptr<DIR, CloseFolder> entries(fdopendir(duplicate));
  if (!entries) {
    if (duplicate >= 0) ::close(duplicate);
    return;
  }
  while (const dirent* const entry = readdir(entries.get()))
    if (name_of_file(entry->d_name) && is_own_file(folder, entry->d_name) &&
        !has_writer(folder, entry->d_name))
      unlinkat(folder.get(), entry->d_name, 0);
}

FileDescriptor make_file(const FileDescriptor& folder, std::size_t bytes, const std::string& path) {
  const std::string what = path + " cannot be made";
  unlinkat(folder.get(), kNewName, 0);  // from a writer that was killed while it was here
  FileDescriptor file(
      openat(folder.get(), kNewName, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file || fchmod(file.get(), 0600) != 0 || !take_lock(file)) fail(what, errno);
  // All of the memory now: where a tmpfs is full, a page that is missing later is a SIGBUS.
  if (ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) fail(what, errno);
  int error = EINTR;
  while (error == EINTR) error = posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
  if (error != 0) fail(what, error);
  return file;
}

}  // namespace

struct SharedMemory::Native {
  FileDescriptor tracks;   // the folder of all sessions
  FileDescriptor session;  // the folder of this session
  FileDescriptor file;     // locked
  std::string session_name;
  std::string track_name;
  std::optional<MappingGuard> guard;
};

SharedMemory::SharedMemory(const std::string& session, const std::string& track, std::size_t bytes,
                           const std::function<void(std::byte*)>& fill)
    : native_(std::make_unique<Native>()), size_(bytes) {
  PYPAC_ASSERT_NOT_REALTIME();
  native_->session_name = checked_file_name("session", session);
  native_->track_name = checked_file_name("track", track);
  const std::string root = runtime_folder();
  const std::string folder = root + "/tracks/" + native_->session_name;
  path_ = folder + "/" + native_->track_name;

  const FileDescriptor top = make_folder(AT_FDCWD, root, root);
  native_->tracks = make_folder(top.get(), "tracks", root + "/tracks");
  const FileDescriptor lock = lock_folder(native_->tracks);
  if (!lock) fail(root + "/tracks/" + kLockName + " cannot be locked", errno);
  native_->session = make_folder(native_->tracks.get(), native_->session_name, folder);
  if (has_writer(native_->session, native_->track_name.c_str()))
    throw NameInUse(ErrorKind::output_failed, path_ + " belongs to a running session");
  remove_dead(native_->session);

  try {
    native_->file = make_file(native_->session, bytes, path_);
    void* const memory =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, native_->file.get(), 0);
    if (memory == MAP_FAILED) fail(path_ + " cannot be mapped", errno);
    data_ = static_cast<std::byte*>(memory);
    native_->guard.emplace(data_, bytes);
    std::memset(data_, 0, bytes);  // touched here, so that the pump takes no page fault
    fill(data_);
    if (renameat(native_->session.get(), kNewName, native_->session.get(),
                 native_->track_name.c_str()) != 0)
      fail(path_ + " cannot be made", errno);
  } catch (...) {
    native_->guard.reset();
    if (data_) munmap(data_, size_);
    unlinkat(native_->session.get(), kNewName, 0);
    unlinkat(native_->tracks.get(), native_->session_name.c_str(), AT_REMOVEDIR);  // if it is empty
    throw;
  }
}

SharedMemory::~SharedMemory() {
  remove();
  native_->guard.reset();
  munmap(data_, size_);
}

bool SharedMemory::lost() const noexcept {
  return native_->guard->lost();
}

bool SharedMemory::intact() const noexcept {
  struct stat now {};
  return !lost() && native_->file && fstat(native_->file.get(), &now) == 0 && now.st_nlink > 0 &&
         static_cast<std::uint64_t>(now.st_size) >= size_;
}

void SharedMemory::remove() noexcept {
  if (!native_->file) return;
  // Without the lock the file stays; as its writer is gone, the next one replaces it.
  if (const FileDescriptor lock = lock_folder(native_->tracks)) {
    struct stat own {};
    struct stat named {};
    if (fstat(native_->file.get(), &own) == 0 &&
        fstatat(native_->session.get(), native_->track_name.c_str(), &named, AT_SYMLINK_NOFOLLOW) ==
            0 &&
        own.st_ino == named.st_ino && own.st_dev == named.st_dev)
      unlinkat(native_->session.get(), native_->track_name.c_str(), 0);
    unlinkat(native_->tracks.get(), native_->session_name.c_str(), AT_REMOVEDIR);  // if it is empty
  }
  native_->file.reset();
}

}  // namespace pypac
