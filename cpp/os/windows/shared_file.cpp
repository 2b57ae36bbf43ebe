// SPDX-License-Identifier: MIT
#include "os/shared_file.hpp"

#include <windows.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "os/runtime_folder.hpp"
#include "os/windows/handle.hpp"
#include "os/windows/track_entry.hpp"
#include "os/windows/user_security.hpp"
#include "os/windows/wide_text.hpp"

namespace pypac {
namespace {

struct Unmap {
  void operator()(const void* view) const noexcept { UnmapViewOfFile(view); }
};
using View = std::unique_ptr<const void, Unmap>;

/// What the entries of a folder stand for, sorted. Looks at no more than `limit`.
std::vector<std::string> names_in(const std::wstring& folder, std::size_t limit) {
  struct CloseSearch {
    void operator()(HANDLE search) const noexcept { FindClose(search); }
  };
  std::vector<std::string> names;
  WIN32_FIND_DATAW found;
  const HANDLE search = FindFirstFileW((folder + L"\\*").c_str(), &found);
  if (search == INVALID_HANDLE_VALUE) return names;
  const std::unique_ptr<void, CloseSearch> closed(search);
  for (std::size_t seen = 0; seen < limit;) {
    const std::wstring_view file_name = found.cFileName;
    if (file_name != L"." && file_name != L"..") {
      ++seen;
      if (std::optional<std::string> name = name_of_file(utf8_of(file_name)))
        names.push_back(*std::move(name));
    }
    if (FindNextFileW(search, &found) == 0) break;
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

struct SharedFile::Native {
  std::wstring entry;  // its path; empty: no file can have such a name
  std::vector<std::byte> user;
  TrackEntry::Name name{};
  View view;
  std::uint64_t bytes = 0;
};

SharedFile::SharedFile(const std::string& session, const std::string& track)
    : native_(std::make_unique<Native>()) {
  const std::optional<std::string> folder = file_name_of(session);
  const std::optional<std::string> file = file_name_of(track);
  if (folder && file)
    native_->entry =
        TrackEntry::tracks_folder() + L"\\" + wide_of(*folder) + L"\\" + wide_of(*file);
  native_->user = user_sid();
}

SharedFile::~SharedFile() = default;

bool SharedFile::open() noexcept {
  native_->view.reset();
  native_->bytes = 0;
  if (native_->entry.empty() || !TrackEntry::read(native_->entry, native_->name)) return false;
  const Handle section(OpenFileMappingW(FILE_MAP_READ | READ_CONTROL, FALSE, native_->name.data()));
  if (!section || !belongs_to(section.get(), native_->user)) return false;
  View view(MapViewOfFile(section.get(), FILE_MAP_READ, 0, 0, 0));
  MEMORY_BASIC_INFORMATION region{};
  if (!view || VirtualQuery(view.get(), &region, sizeof region) == 0) return false;
  // Memory that its maker has only reserved could fault. Of such this is not the whole.
  if (region.State != MEM_COMMIT) return false;
  native_->bytes = region.RegionSize;
  native_->view = std::move(view);
  return true;
}

bool SharedFile::replaced() noexcept {
  TrackEntry::Name name;
  return !native_->view || !TrackEntry::read(native_->entry, name) || name != native_->name;
}

std::uint64_t SharedFile::size() noexcept {
  return native_->bytes;
}

std::size_t SharedFile::read_at(std::uint64_t offset, void* destination,
                                std::size_t bytes) noexcept {
  if (offset >= native_->bytes) return 0;
  const auto count =
      static_cast<std::size_t>(std::min<std::uint64_t>(bytes, native_->bytes - offset));
  std::memcpy(destination, static_cast<const std::byte*>(native_->view.get()) + offset, count);
  return count;
}

std::vector<std::pair<std::string, std::string>> list_shared_files(std::size_t limit) {
  std::vector<std::pair<std::string, std::string>> found;
  const std::wstring tracks = TrackEntry::tracks_folder();
  for (const std::string& session : names_in(tracks, limit)) {
    for (std::string& track : names_in(tracks + L"\\" + wide_of(*file_name_of(session)), limit)) {
      if (found.size() == limit) return found;
      found.emplace_back(session, std::move(track));
    }
  }
  return found;
}

}  // namespace pypac
