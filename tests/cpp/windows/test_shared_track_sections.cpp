// SPDX-License-Identifier: MIT
// What of shared tracks is sections of Windows, and processes that end.
#include <doctest/doctest.h>
#include <windows.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../sinks/numbered_track.hpp"
#include "core/status.hpp"
#include "os/windows/handle.hpp"
#include "os/windows/track_entry.hpp"
#include "os/windows/user_security.hpp"
#include "os/windows/wide_text.hpp"
#include "runtime_folder.hpp"
#include "track_memory.hpp"

using namespace pypac;
using namespace std::chrono_literals;
using pypac::test::Listener;
using pypac::test::RuntimeFolder;
using pypac::test::Writer;
using State = SharedTrackState;

namespace {

struct Pipe {
  Pipe() {
    SECURITY_ATTRIBUTES inherited{sizeof inherited, nullptr, TRUE};
    HANDLE read = nullptr;
    HANDLE write = nullptr;
    REQUIRE(CreatePipe(&read, &write, &inherited, 0) != 0);
    read_end = Handle(read);
    write_end = Handle(write);
  }
  Handle read_end;
  Handle write_end;
};

/// Who this process runs as is nobody's to see, for as long as this object lives.
class HiddenUser {
 public:
  HiddenUser() {
    HANDLE token = nullptr;
    REQUIRE(OpenProcessToken(GetCurrentProcess(), READ_CONTROL | WRITE_DAC, &token) != 0);
    token_ = Handle(token);
    DWORD bytes = 0;
    GetKernelObjectSecurity(token, DACL_SECURITY_INFORMATION, nullptr, 0, &bytes);
    before_.resize(bytes);
    REQUIRE(GetKernelObjectSecurity(token, DACL_SECURITY_INFORMATION, before_.data(), bytes,
                                    &bytes) != 0);
    ACL nobody{};
    SECURITY_DESCRIPTOR descriptor{};
    REQUIRE(InitializeAcl(&nobody, sizeof nobody, ACL_REVISION) != 0);
    REQUIRE(InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION) != 0);
    REQUIRE(SetSecurityDescriptorDacl(&descriptor, TRUE, &nobody, FALSE) != 0);
    REQUIRE(SetKernelObjectSecurity(token, DACL_SECURITY_INFORMATION, &descriptor) != 0);
  }
  ~HiddenUser() {
    SetKernelObjectSecurity(token_.get(), DACL_SECURITY_INFORMATION, before_.data());
  }
  HiddenUser(const HiddenUser&) = delete;
  HiddenUser& operator=(const HiddenUser&) = delete;

 private:
  Handle token_;
  std::vector<std::byte> before_;
};

/// A session in a process of its own (track_writer.cpp).
class WriterProcess {
 public:
  WriterProcess() {
    Pipe input;
    Pipe output;
    // Its own ends only: who inherited the other one would keep it from ending.
    SetHandleInformation(input.write_end.get(), HANDLE_FLAG_INHERIT, 0);
    SetHandleInformation(output.read_end.get(), HANDLE_FLAG_INHERIT, 0);
    STARTUPINFOW startup{};
    startup.cb = sizeof startup;
    startup.dwFlags = STARTF_USESTDHANDLES;
    startup.hStdInput = input.read_end.get();
    startup.hStdOutput = output.write_end.get();
    startup.hStdError = output.write_end.get();
    std::wstring own(32768, L'\0');
    own.resize(GetModuleFileNameW(nullptr, own.data(), static_cast<DWORD>(own.size())));
    const auto program = std::filesystem::path(own).parent_path() / TRACK_WRITER;
    PROCESS_INFORMATION started{};
    REQUIRE(CreateProcessW(program.c_str(), nullptr, nullptr, nullptr, TRUE, 0, nullptr, nullptr,
                           &startup, &started) != 0);
    process_ = Handle(started.hProcess);
    CloseHandle(started.hThread);
    pid_ = started.dwProcessId;
    input_ = std::move(input.write_end);
    output_ = std::move(output.read_end);
  }
  ~WriterProcess() { kill(); }
  WriterProcess(const WriterProcess&) = delete;
  WriterProcess& operator=(const WriterProcess&) = delete;

  /// Waits until its tracks are there. False: it was refused.
  [[nodiscard]] bool has_the_name() {
    char byte = 0;
    DWORD count = 0;
    REQUIRE(ReadFile(output_.get(), &byte, 1, &count, nullptr) != 0);
    REQUIRE(count == 1);
    REQUIRE((byte == 'y' || byte == 'n'));
    return byte == 'y';
  }
  void end() {
    input_.reset();
    WaitForSingleObject(process_.get(), INFINITE);
  }
  void kill() {
    TerminateProcess(process_.get(), 9);
    WaitForSingleObject(process_.get(), INFINITE);
  }
  [[nodiscard]] std::int64_t pid() const { return pid_; }

 private:
  Handle process_;
  Handle input_;
  Handle output_;
  std::int64_t pid_ = 0;
};

std::string content_of(const std::string& path) {
  const Handle file(CreateFileW(wide_of(path).c_str(), GENERIC_READ,
                                FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                OPEN_EXISTING, 0, nullptr));
  REQUIRE(file);
  std::string content(200, '\0');
  DWORD count = 0;
  REQUIRE(ReadFile(file.get(), content.data(), 200, &count, nullptr) != 0);
  content.resize(count);
  return content;
}

/// Wine 8 answers GetProcessHandleCount() with 0.
int open_handles() {
  int count = 0;
  for (std::uintptr_t value = 4; value < 0x10000; value += 4) {
    DWORD flags = 0;
    count += GetHandleInformation(reinterpret_cast<HANDLE>(value), &flags) != 0 ? 1 : 0;
  }
  return count;
}

/// An entry that is not a session's.
void put_entry(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

}  // namespace

TEST_CASE("what a killed process had is gone, and its reader goes over to the new session") {
  const RuntimeFolder folder;
  WriterProcess other;
  REQUIRE(other.has_the_name());
  Listener listener;
  CHECK(listener.reader.poll(5s) == State::running);
  CHECK(listener.reader.info().writer_pid == other.pid());
  CHECK(listener.reader.info().channels == 2);
  CHECK(list_shared_tracks(5s).size() == 2);
  CHECK_THROWS_WITH_AS(Writer{}, doctest::Contains(std::to_string(other.pid()).c_str()), Failure);
  other.kill();

  CHECK(list_shared_tracks(5s).empty());
  // Its reader still has the memory, and looks again the next time.
  CHECK(listener.reader.poll(5s + 2s) == State::gone);
  CHECK(listener.reader.poll(7s + 250ms) == State::absent);
  Writer writer({"stream", 48000, 100, 400, 1000}, {{"game", 2}});
  writer.shared.start({4s, 48000});
  writer.clock.advance(2s);
  writer.blocks(0, 100);
  CHECK(listener.reader.poll(7s + 500ms) == State::running);
  CHECK(listener.reader.info().writer_pid == static_cast<std::int64_t>(GetCurrentProcessId()));
  CHECK(listener.read().frames == 100);
  CHECK(listener.wrong == 0);
}

TEST_CASE("of several that start at once, one gets the name") {
  const RuntimeFolder folder;
  std::vector<std::unique_ptr<WriterProcess>> starters;
  for (int i = 0; i < 4; ++i) starters.push_back(std::make_unique<WriterProcess>());
  int winners = 0;
  for (const auto& starter : starters) winners += starter->has_the_name() ? 1 : 0;
  CHECK(winners == 1);
  CHECK(list_shared_tracks(5s).size() == 2);
  for (const auto& starter : starters) starter->end();
  CHECK(list_shared_tracks(5s).empty());
  CHECK_FALSE(std::filesystem::exists(folder.tracks() / "stream"));
}

TEST_CASE("an entry holds the memory's name in one line, another each time, and is its writer's") {
  const RuntimeFolder folder;
  std::string before;
  for (int round = 0; round < 2; ++round) {
    const Writer writer;
    const std::string path = writer.shared.paths().at(0);
    CHECK(path == (folder.tracks() / "stream" / "game").string());
    const std::string content = content_of(path);
    REQUIRE(content.size() == TrackEntry::kNameLength + 1);
    CHECK(content.starts_with("Local\\pypac-obs-"));
    CHECK(content.find_first_not_of("0123456789abcdef", 16) == TrackEntry::kNameLength);
    CHECK(content.back() == '\n');
    CHECK(content != before);
    before = content;

    const Handle written(CreateFileW(wide_of(path).c_str(), GENERIC_WRITE,
                                     FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                     nullptr, OPEN_EXISTING, 0, nullptr));
    const DWORD error = GetLastError();
    CHECK_FALSE(written);
    CHECK(error == ERROR_SHARING_VIOLATION);
  }
}

TEST_CASE("the memory is the user's alone") {
  const RuntimeFolder folder;
  const Writer writer;
  TrackEntry::Name name;
  REQUIRE(TrackEntry::read(wide_of(writer.shared.paths().at(0)), name));
  const Handle section(OpenFileMappingW(FILE_MAP_READ | READ_CONTROL, FALSE, name.data()));
  REQUIRE(section);
  const std::vector<std::byte> user = user_sid();
  REQUIRE_FALSE(user.empty());
  CHECK(belongs_to(section.get(), user));

  alignas(SECURITY_DESCRIPTOR) std::array<std::byte, 1024> descriptor;
  DWORD bytes = 0;
  REQUIRE(GetKernelObjectSecurity(section.get(), DACL_SECURITY_INFORMATION, descriptor.data(),
                                  static_cast<DWORD>(descriptor.size()), &bytes) != 0);
  BOOL present = FALSE;
  BOOL by_default = FALSE;
  PACL list = nullptr;
  REQUIRE(GetSecurityDescriptorDacl(descriptor.data(), &present, &list, &by_default) != 0);
  REQUIRE(present != 0);
  REQUIRE(list != nullptr);
  REQUIRE(list->AceCount == 1);
  void* entry = nullptr;
  REQUIRE(GetAce(list, 0, &entry) != 0);
  auto* const allowed = static_cast<ACCESS_ALLOWED_ACE*>(entry);
  CHECK(allowed->Header.AceType == ACCESS_ALLOWED_ACE_TYPE);
  CHECK(EqualSid(&allowed->SidStart, const_cast<std::byte*>(user.data())) != 0);
}

TEST_CASE("what lies under the name and leads to no memory is not there") {
  const RuntimeFolder folder;
  const std::filesystem::path game = folder.tracks() / "stream" / "game";
  const std::string nowhere = TrackEntry::new_name();
  SUBCASE("a folder") {
    std::filesystem::create_directories(game);
  }
  SUBCASE("nothing yet") {
    put_entry(game, "");
  }
  SUBCASE("half a line") {
    put_entry(game, nowhere.substr(0, 30));
  }
  SUBCASE("a line without its end") {
    put_entry(game, nowhere);
  }
  SUBCASE("more than a line") {
    put_entry(game, nowhere + "\nmore");
  }
  SUBCASE("another kind of name") {
    put_entry(game, "Global" + nowhere.substr(5, 31) + "\n");
  }
  SUBCASE("the name of memory that has gone") {
    put_entry(game, nowhere + '\n');
  }
  CHECK(SharedTrackReader("stream", "game").poll(5s) == State::absent);
  CHECK(list_shared_tracks(5s).empty());
}

TEST_CASE("where Windows does not tell who the user is, nothing is made that others could read") {
  const RuntimeFolder folder;
  {
    const HiddenUser hidden;
    REQUIRE(user_sid().empty());
    try {
      const Writer writer;
      FAIL("it was made");
    } catch (const Failure& refused) {
      CHECK(refused.kind() == ErrorKind::permission_denied);
      CHECK(refused.native_code() == ERROR_ACCESS_DENIED);
    }
    CHECK_FALSE(std::filesystem::exists(folder.tracks() / "stream" / "game"));
  }
  const Writer writer;
  CHECK(SharedTrackReader("stream", "game").poll(5s) != State::absent);
}

TEST_CASE("memory that is only reserved, and would fault, is not looked into") {
  const RuntimeFolder folder;
  const std::string name = TrackEntry::new_name();
  UserOnly user;
  const auto found_with = [&](DWORD kind) {
    const Handle section(CreateFileMappingW(INVALID_HANDLE_VALUE, user.attributes(),
                                            PAGE_READWRITE | kind, 0, 65536,
                                            wide_of(name).c_str()));
    REQUIRE(section);
    put_entry(folder.tracks() / "stream" / "game", name + '\n');
    return SharedTrackReader("stream", "game").poll(5s);
  };
  CHECK(found_with(SEC_RESERVE) == State::absent);
  CHECK(found_with(SEC_COMMIT) == State::damaged);  // zeros
}

TEST_CASE("memory that is too small for what its header says is damage") {
  const RuntimeFolder folder;
  const std::string name = TrackEntry::new_name();
  UserOnly user;
  const Handle section(CreateFileMappingW(INVALID_HANDLE_VALUE, user.attributes(), PAGE_READWRITE,
                                          0, 4096, wide_of(name).c_str()));
  REQUIRE(section);
  std::byte* const view = static_cast<std::byte*>(
      MapViewOfFile(section.get(), FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0));
  REQUIRE(view != nullptr);
  {
    const Writer writer;
    test::TrackMemory(writer.shared.paths().at(0)).get(0, view, 4096);  // a header that is right
  }
  put_entry(folder.tracks() / "stream" / "game", name + '\n');
  CHECK(SharedTrackReader("stream", "game").poll(5s) == State::damaged);
  UnmapViewOfFile(view);
}

TEST_CASE("writers and readers that have gone leave no handle") {
  const RuntimeFolder folder;
  const auto round = [] {
    Writer writer;
    Listener listener;
    writer.shared.start({4s, 48000});
    writer.blocks(0, 300);
    CHECK(listener.reader.poll(5s) == State::running);
    CHECK(listener.reader.poll(5s + 250ms) == State::running);
    CHECK(listener.read().frames == 100);
    CHECK(list_shared_tracks(5s).size() == 2);
  };
  round();  // what the C library keeps
  const int before = open_handles();
  REQUIRE(before > 0);
  for (int i = 0; i < 20; ++i) round();
  CHECK(open_handles() == before);
}
