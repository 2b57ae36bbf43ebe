// SPDX-License-Identifier: MIT
#include "os/shared_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <optional>

#include "os/linux/mapping_guard.hpp"
#include "os/linux/user_folder.hpp"
#include "os/runtime_folder.hpp"

namespace pypac {
namespace {

FileDescriptor open_tracks_folder(const std::string& root) noexcept {
  const FileDescriptor folder = open_way_to_user_folder(AT_FDCWD, root);
  return folder ? open_user_folder(folder.get(), "tracks") : FileDescriptor();
}

/// The names that the files of a folder stand for. Looks at no more than `limit` files.
std::vector<std::string> names_in(const FileDescriptor& folder, std::size_t limit) {
  struct CloseFolder {
    void operator()(DIR* open) const { closedir(open); }
  };
  std::vector<std::string> names;
  if (!folder) return names;
  const int duplicate = fcntl(folder.get(), F_DUPFD_CLOEXEC, 0);  // for closedir() to close
  const std::unique_ptr<DIR, CloseFolder> entries(fdopendir(duplicate));
  if (!entries) {
    if (duplicate >= 0) ::close(duplicate);
    return names;
  }
  for (std::size_t seen = 0; seen < limit; ++seen) {
    const dirent* const entry = readdir(entries.get());
    if (!entry) break;
    if (std::optional<std::string> name = name_of_file(entry->d_name))
      names.push_back(*std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

/// What of a file is looked at without a system call each time. No shared track is larger.
constexpr std::size_t kMostMapped = std::size_t{1} << 30;

/// A file in memory, for reading: guarded, so that nobody who cuts it off ends this process.
class View {
 public:
  View() = default;
  ~View() { reset(); }
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  /// None where the file is too large, or the system or the guard has no room: then it is read.
  void map(const FileDescriptor& file, std::size_t size) noexcept {
    reset();
    if (size == 0 || size > kMostMapped) return;
    void* const memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) return;
    data_ = static_cast<std::byte*>(memory);
    size_ = size;
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    try {
      guard_.emplace(data_, (size + page - 1) / page * page);
    } catch (const std::exception&) {
      reset();
    }
  }

  void reset() noexcept {
    guard_.reset();
    if (data_ != nullptr) munmap(data_, size_);
    data_ = nullptr;
    size_ = 0;
  }

  [[nodiscard]] explicit operator bool() const noexcept { return data_ != nullptr; }

  [[nodiscard]] std::size_t copy(std::uint64_t offset, void* destination,
                                 std::size_t bytes) const noexcept {
    if (offset >= size_) return 0;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, size_ - offset));
    std::memcpy(destination, data_ + offset, count);
    return guard_->lost() ? 0 : count;
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::optional<MappingGuard> guard_;
};

}  // namespace

struct SharedFile::Native {
  std::string root;
  std::optional<std::string> session;  // as file names
  std::optional<std::string> track;
  FileDescriptor folder;  // where `file` was found
  FileDescriptor file;
  struct stat opened {};
  View view;

  [[nodiscard]] FileDescriptor open_folder() const noexcept {
    const FileDescriptor tracks = open_tracks_folder(root);
    return tracks ? open_user_folder(tracks.get(), *session) : FileDescriptor();
  }
};

SharedFile::SharedFile(const std::string& session, const std::string& track)
    : native_(std::make_unique<Native>()) {
  native_->root = runtime_folder();
  native_->session = file_name_of(session);
  native_->track = file_name_of(track);
}

SharedFile::~SharedFile() = default;

bool SharedFile::open() noexcept {
  native_->view.reset();
  native_->file.reset();
  native_->folder.reset();
  if (!native_->session || !native_->track) return false;
  FileDescriptor folder = native_->open_folder();
  if (!folder) return false;
  // Should a pipe lie there: O_NONBLOCK, so that opening it does not wait for a writer.
  FileDescriptor file(openat(folder.get(), native_->track->c_str(),
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file || fstat(file.get(), &native_->opened) != 0) return false;
  if (!S_ISREG(native_->opened.st_mode) || native_->opened.st_uid != geteuid()) return false;
  native_->folder = std::move(folder);
  native_->file = std::move(file);
  native_->view.map(native_->file, static_cast<std::size_t>(native_->opened.st_size));
  return true;
}

bool SharedFile::replaced() noexcept {
  if (!native_->file) return true;
  // In a folder that was deleted nothing is found, whatever lies in its place by now.
  struct stat now {};
  return fstatat(native_->folder.get(), native_->track->c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0 ||
         now.st_ino != native_->opened.st_ino || now.st_dev != native_->opened.st_dev;
}

std::uint64_t SharedFile::size() noexcept {
  struct stat now {};
  if (!native_->file || fstat(native_->file.get(), &now) != 0) return 0;
  return static_cast<std::uint64_t>(now.st_size);
}

std::size_t SharedFile::read_at(std::uint64_t offset, void* destination,
                                std::size_t bytes) noexcept {
  if (!native_->file) return 0;
  if (native_->view) return native_->view.copy(offset, destination, bytes);
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t got = pread(native_->file.get(), static_cast<std::byte*>(destination) + done,
                              bytes - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

std::vector<std::pair<std::string, std::string>> list_shared_files(std::size_t limit) {
  std::vector<std::pair<std::string, std::string>> found;
  const FileDescriptor tracks = open_tracks_folder(runtime_folder());
  if (!tracks) return found;
  for (const std::string& session : names_in(tracks, limit)) {
    for (std::string& track :
         names_in(open_user_folder(tracks.get(), *file_name_of(session)), limit)) {
      if (found.size() == limit) return found;
      found.emplace_back(session, std::move(track));
    }
  }
  return found;
}

}  // namespace pypac
