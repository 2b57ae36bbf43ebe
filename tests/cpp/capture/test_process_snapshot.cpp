// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <thread>

#include "os/process_snapshot.hpp"
#include "os/thread_priority.hpp"

namespace {

/// A child that does nothing after `first`, for as long as this object lives.
class IdleChild {
 public:
  explicit IdleChild(void (*first)() = nullptr) : pid_(fork()) {
    if (pid_ == 0) {
      if (first) first();
      for (;;) pause();
    }
  }
  ~IdleChild() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  IdleChild(const IdleChild&) = delete;
  IdleChild& operator=(const IdleChild&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

}  // namespace

TEST_CASE("this process is found with its parent and its names") {
  const auto entry = pypac::read_process(getpid());
  REQUIRE(entry);
  CHECK(entry->parent_pid == getppid());
  CHECK(entry->executable == "test_process_snapshot");
  CHECK(entry->command == "test_process_snapshot");
  CHECK(entry->title == "test_process_sn");
  CHECK(entry->namespace_pid > 0);
  CHECK_FALSE(entry->stopped);
}

TEST_CASE("names that are not UTF-8 are made so") {
  const IdleChild child([] { prctl(PR_SET_NAME, "caf\xe9"); });
  std::string title;
  for (int round = 0; round < 1000 && title != "caf\ufffd"; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    title = pypac::read_process(child.pid())->title;
  }
  CHECK(title == "caf\ufffd");
}

TEST_CASE("what is not running is not found") {
  CHECK_FALSE(pypac::read_process(0));
  CHECK_FALSE(pypac::read_process(0x7ffffffe));
}

TEST_CASE("a stopped child is seen as stopped and a killed one is gone") {
  pypac::ProcessSnapshot snapshot;
  const auto find = [&](pid_t wanted) -> std::optional<pypac::ProcessEntry> {
    snapshot.refresh();
    const auto& all = snapshot.processes();
    const auto at = std::ranges::find(all, std::int64_t{wanted}, &pypac::ProcessEntry::pid);
    if (at == all.end()) return std::nullopt;
    return *at;
  };
  pid_t pid = 0;
  {
    const IdleChild child;
    pid = child.pid();
    REQUIRE(find(pid));
    CHECK(find(pid)->parent_pid == getpid());
    CHECK(find(pid)->start_time >= find(getpid())->start_time);
    kill(pid, SIGSTOP);
    waitpid(pid, nullptr, WUNTRACED);
    CHECK(find(pid)->stopped);
    kill(pid, SIGCONT);
    CHECK_FALSE(find(pid)->stopped);
  }
  CHECK_FALSE(find(pid));
}

TEST_CASE("a killed process is gone as soon as its connections are closed") {
  for (int round = 0; round < 100; ++round) {
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    const IdleChild child;
    close(ends[1]);
    kill(child.pid(), SIGKILL);
    char nothing = 0;
    CHECK(read(ends[0], &nothing, 1) == 0);  // waits until the child's end is closed, too
    CHECK_FALSE(pypac::read_process(child.pid()));
    close(ends[0]);
  }
}

TEST_CASE("a real-time priority is had or its refusal is told") {
  const pypac::ThreadPriority priority = pypac::raise_thread_priority(20);
  if (priority.realtime) {
    CHECK(priority.priority == 20);
    CHECK(pypac::thread_priority(pypac::current_thread_id()).realtime);
  } else {
    CHECK_FALSE(priority.refusal.empty());
  }
}
