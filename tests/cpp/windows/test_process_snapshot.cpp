// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <windows.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include "os/process_snapshot.hpp"
#include "os/windows/handle.hpp"
#include "os/windows/package_family.hpp"

namespace {

std::filesystem::path own_path() {
  std::wstring path(32768, L'\0');
  path.resize(GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size())));
  return path;
}

/// A child under that name, for as long as this object lives.
class IdleChild {
 public:
  explicit IdleChild(const wchar_t* name) : program_(own_path().parent_path() / name) {
    std::filesystem::copy_file(own_path().parent_path() / IDLE_PROGRAM, program_,
                               std::filesystem::copy_options::overwrite_existing);
    STARTUPINFOW startup{};
    startup.cb = sizeof startup;
    PROCESS_INFORMATION started{};
    REQUIRE(CreateProcessW(program_.c_str(), nullptr, nullptr, nullptr, FALSE, 0, nullptr, nullptr,
                           &startup, &started) != 0);
    process_ = pypac::Handle(started.hProcess);
    CloseHandle(started.hThread);
    pid_ = started.dwProcessId;
  }
  ~IdleChild() {
    end();
    std::error_code ignored;
    std::filesystem::remove(program_, ignored);
  }
  IdleChild(const IdleChild&) = delete;
  IdleChild& operator=(const IdleChild&) = delete;

  /// Its handle is still held afterwards.
  void end() const {
    TerminateProcess(process_.get(), 0);
    WaitForSingleObject(process_.get(), INFINITE);
  }
  [[nodiscard]] std::int64_t pid() const { return pid_; }
  [[nodiscard]] std::uint64_t created() const {
    FILETIME created{};
    std::array<FILETIME, 3> rest{};
    REQUIRE(GetProcessTimes(process_.get(), &created, &rest[0], &rest[1], &rest[2]) != 0);
    return std::uint64_t{created.dwHighDateTime} << 32U | created.dwLowDateTime;
  }

 private:
  std::filesystem::path program_;
  pypac::Handle process_;
  std::int64_t pid_ = 0;
};

std::optional<pypac::ProcessEntry> find(pypac::ProcessSnapshot& snapshot, std::int64_t wanted) {
  snapshot.refresh();
  const auto& all = snapshot.processes();
  const auto at = std::ranges::find(all, wanted, &pypac::ProcessEntry::pid);
  if (at == all.end()) return std::nullopt;
  return *at;
}

}  // namespace

TEST_CASE("this process is found with its name and its creation") {
  const auto entry = pypac::read_process(pypac::current_process_id());
  REQUIRE(entry);
  CHECK(entry->executable == "test_process_snapshot.exe");
  CHECK(entry->namespace_pid == entry->pid);
  CHECK(entry->parent_pid != entry->pid);
  CHECK(entry->start_time > 0);
  CHECK_FALSE(entry->stopped);
}

TEST_CASE("a child is found with its parent, its name and its creation") {
  pypac::ProcessSnapshot snapshot;
  const IdleChild child(L"Caf\u00e9 \u97f3.exe");
  for (int round = 0; round < 2; ++round) {  // the second time from what is known
    const auto entry = find(snapshot, child.pid());
    REQUIRE(entry);
    CHECK(entry->parent_pid == pypac::current_process_id());
    CHECK(entry->executable == "Caf\xc3\xa9 \xe9\x9f\xb3.exe");
    CHECK(entry->start_time == child.created());
    CHECK(entry->start_time >= find(snapshot, pypac::current_process_id())->start_time);
  }
}

TEST_CASE("the family of a packaged app is asked of Windows") {
  const HANDLE some = GetCurrentProcess();
  const auto packaged = [](HANDLE, UINT32* length, wchar_t* family) -> LONG {
    constexpr std::wstring_view kFamily = L"SpotifyAB.SpotifyMusic_zpdnekdrzrea0";
    REQUIRE(*length > kFamily.size());
    kFamily.copy(family, kFamily.size());
    family[kFamily.size()] = L'\0';
    *length = static_cast<UINT32>(kFamily.size()) + 1;
    return ERROR_SUCCESS;
  };
  CHECK(pypac::package_family_of(some, packaged) == "SpotifyAB.SpotifyMusic_zpdnekdrzrea0");
  const auto none = [](HANDLE, UINT32* length, wchar_t* family) -> LONG {
    family[0] = L'x';
    *length = 0;
    return APPMODEL_ERROR_NO_PACKAGE;
  };
  CHECK(pypac::package_family_of(some, none).empty());
  const auto longer = [](HANDLE, UINT32* length, wchar_t*) -> LONG {
    *length = 1000;
    return ERROR_INSUFFICIENT_BUFFER;
  };
  CHECK(pypac::package_family_of(some, longer).empty());
  CHECK(pypac::package_family_of(some, nullptr).empty());
  // Wine has the function, and no packages.
  REQUIRE(static_cast<bool>(pypac::get_package_family()));
  CHECK(pypac::package_family_of(some, pypac::get_package_family()).empty());
}

TEST_CASE("of two programs the later one was created later") {
  const IdleChild first(L"first.exe");
  const IdleChild second(L"second.exe");
  const auto one = pypac::read_process(first.pid());
  const auto other = pypac::read_process(second.pid());
  REQUIRE((one && other));
  CHECK(one->executable == "first.exe");
  CHECK(other->executable == "second.exe");
  CHECK(one->start_time < other->start_time);
}

TEST_CASE("a process that has ended is gone, though somebody holds its handle") {
  pypac::ProcessSnapshot snapshot;
  const IdleChild child(L"ends.exe");
  REQUIRE(find(snapshot, child.pid()));
  child.end();
  CHECK_FALSE(find(snapshot, child.pid()));
  CHECK_FALSE(pypac::read_process(child.pid()));
}

TEST_CASE("no window of this process is asked: its thread may be waiting for who asks") {
  std::promise<bool> made;
  std::promise<void> let_go;
  std::thread owner([&] {
    const HWND window = CreateWindowExW(0, L"STATIC", L"Ours", WS_OVERLAPPEDWINDOW | WS_VISIBLE, 0,
                                        0, 100, 100, nullptr, nullptr, nullptr, nullptr);
    made.set_value(window != nullptr && IsWindowVisible(window) != 0);
    let_go.get_future().wait();  // takes no messages
    DestroyWindow(window);
  });
  CHECK(made.get_future().get());
  std::promise<std::size_t> seen;
  std::thread looker([&] {
    pypac::ProcessSnapshot snapshot;
    snapshot.refresh();
    static_cast<void>(pypac::read_process(pypac::current_process_id()));
    seen.set_value(snapshot.processes().size());
  });
  std::future<std::size_t> count = seen.get_future();
  const bool comes_back = count.wait_for(std::chrono::seconds(30)) == std::future_status::ready;
  CHECK(comes_back);
  if (comes_back) CHECK(count.get() > 0);
  let_go.set_value();
  owner.join();
  looker.join();
}

TEST_CASE("what is not running is not found") {
  CHECK_FALSE(pypac::read_process(0));
  CHECK_FALSE(pypac::read_process(0x7ffffffe));
}
