// SPDX-License-Identifier: MIT
#include "os/shared_memory.hpp"

#include <windows.h>

#include <chrono>
#include <cstring>
#include <optional>
#include <string_view>
#include <thread>

#include "core/thread_role.hpp"
#include "os/runtime_folder.hpp"
#include "os/windows/handle.hpp"
#include "os/windows/track_entry.hpp"
#include "os/windows/user_security.hpp"
#include "os/windows/wide_text.hpp"

namespace pypac {
namespace {

// An entry that is being deleted is there, and refuses everybody, until its last reader has closed
// it.
constexpr int kTries = 200;
constexpr auto kPause = std::chrono::milliseconds(10);

[[noreturn]] void fail(const std::string& what, DWORD error) {
  const bool refused = error == ERROR_ACCESS_DENIED || error == ERROR_DIRECTORY;
  std::string remedy;
  if (error == ERROR_DISK_FULL || error == ERROR_HANDLE_DISK_FULL)
    remedy = "make room there";
  else if (error == ERROR_COMMITMENT_LIMIT || error == ERROR_NOT_ENOUGH_MEMORY ||
           error == ERROR_NO_SYSTEM_RESOURCES)
    remedy = "close other programs, enlarge the page file, or ask for shorter rings";
  else if (refused)
    remedy = "that folder has to be this user's own";
  throw Failure(refused ? ErrorKind::permission_denied : ErrorKind::output_failed,
                what + ": " + error_text(error), remedy, static_cast<long>(error));
}

std::wstring checked_file_name(const char* what, const std::string& name) {
  const std::optional<std::string> file_name = file_name_of(name);
  if (!file_name)
    throw Failure(ErrorKind::invalid_argument,
                  std::string("the ") + what + " name \"" + name + "\" cannot be a file's name",
                  "shorten it");
  return wide_of(*file_name);
}

/// Makes it with what it inherits: nobody but this user and the administrators gets at a profile.
void make_folder(const std::wstring& path) {
  if (CreateDirectoryW(path.c_str(), nullptr) != 0) return;
  DWORD error = GetLastError();
  const DWORD attributes = GetFileAttributesW(path.c_str());
  constexpr DWORD kKind = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT;
  if (attributes != INVALID_FILE_ATTRIBUTES) {
    if ((attributes & kKind) == FILE_ATTRIBUTE_DIRECTORY) return;
    error = ERROR_DIRECTORY;  // a file, or a link to elsewhere
  }
  fail("the folder " + utf8_of(path) + " cannot be used", error);
}

/// The entry, empty, with nobody else that could write to it.
Handle make_entry(const std::wstring& folder, const std::wstring& path) {
  DWORD error = ERROR_SUCCESS;
  for (int tries = 0; tries < kTries; ++tries) {
    if (tries > 0) std::this_thread::sleep_for(kPause);
    make_folder(folder);
    Handle entry(CreateFileW(
        path.c_str(), GENERIC_WRITE | DELETE, FILE_SHARE_READ, nullptr, CREATE_ALWAYS,
        FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE | FILE_FLAG_OPEN_REPARSE_POINT,
        nullptr));
    if (entry) return entry;
    error = GetLastError();
    if (error == ERROR_SHARING_VIOLATION)
      throw NameInUse(ErrorKind::output_failed, utf8_of(path) + " belongs to a running session");
    // ERROR_PATH_NOT_FOUND: another session that has just ended has taken the folder away.
    if (error != ERROR_ACCESS_DENIED && error != ERROR_DELETE_PENDING &&
        error != ERROR_PATH_NOT_FOUND)
      break;
  }
  fail(utf8_of(path) + " cannot be made", error);
}

}  // namespace

struct SharedMemory::Native {
  std::wstring folder;  // of the session
  Handle entry;         // deletes itself when it is closed
  Handle section;
};

SharedMemory::SharedMemory(const std::string& session, const std::string& track, std::size_t bytes,
                           const std::function<void(std::byte*)>& fill)
    : native_(std::make_unique<Native>()), size_(bytes) {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::wstring session_name = checked_file_name("session", session);
  const std::wstring track_name = checked_file_name("track", track);
  const std::wstring tracks = TrackEntry::tracks_folder();
  native_->folder = tracks + L"\\" + session_name;
  path_ = runtime_folder() + "\\tracks\\" + utf8_of(session_name) + "\\" + utf8_of(track_name);
  make_folder(tracks.substr(0, tracks.rfind(L'\\')));
  make_folder(tracks);
  native_->entry = make_entry(native_->folder, native_->folder + L"\\" + track_name);

  try {
    const std::string name = TrackEntry::new_name();
    UserOnly user;
    // In the page file: all of it is there from now on, or this fails.
    native_->section =
        Handle(CreateFileMappingW(INVALID_HANDLE_VALUE, user.attributes(), PAGE_READWRITE,
                                  static_cast<DWORD>(std::uint64_t{bytes} >> 32U),
                                  static_cast<DWORD>(bytes & 0xffffffffU), wide_of(name).c_str()));
    if (!native_->section) fail("the memory of " + path_ + " cannot be had", GetLastError());
    data_ = static_cast<std::byte*>(
        MapViewOfFile(native_->section.get(), FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, bytes));
    if (!data_) fail(path_ + " cannot be mapped", GetLastError());
    std::memset(data_, 0, bytes);  // touched here, so that the pump takes no page fault
    fill(data_);
    // With its end of line the entry is one, and the memory has appeared.
    const std::string line = name + '\n';
    DWORD written = 0;
    if (WriteFile(native_->entry.get(), line.data(), static_cast<DWORD>(line.size()), &written,
                  nullptr) == 0 ||
        written != line.size())
      fail(path_ + " cannot be made", GetLastError());
  } catch (...) {
    if (data_) UnmapViewOfFile(data_);
    remove();
    throw;
  }
}

SharedMemory::~SharedMemory() {
  remove();
  UnmapViewOfFile(data_);
}

// Nobody can shorten a section.
bool SharedMemory::lost() const noexcept {
  return false;
}

bool SharedMemory::intact() const noexcept {
  return true;
}

void SharedMemory::remove() noexcept {
  if (!native_->entry) return;
  native_->entry.reset();
  RemoveDirectoryW(native_->folder.c_str());  // if it is empty
}

}  // namespace pypac
