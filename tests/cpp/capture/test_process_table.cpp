// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "capture/process_table.hpp"

using pypac::ProcessEntry;
using pypac::ProcessTable;

namespace {

ProcessEntry process(std::int64_t pid, std::int64_t parent, std::uint64_t start, const char* name) {
  ProcessEntry entry;
  entry.pid = entry.namespace_pid = pid;
  entry.parent_pid = parent;
  entry.start_time = start;
  entry.executable = name;
  return entry;
}

}  // namespace

TEST_CASE("a lineage goes from the process to its farthest ancestor") {
  const ProcessTable table(
      {process(1, 0, 0, "init"), process(10, 1, 5, "shell"), process(20, 10, 9, "game")});
  const auto line = table.lineage(20);
  REQUIRE(line.size() == 3);
  CHECK(line[0].executable == "game");
  CHECK(line[2].executable == "init");
}

TEST_CASE("a parent that is younger than its child is somebody else under the same PID") {
  const ProcessTable table({process(10, 1, 50, "stranger"), process(20, 10, 9, "game")});
  CHECK(table.lineage(20).size() == 1);
}

TEST_CASE("a loop of parents ends") {
  const ProcessTable table({process(10, 20, 5, "a"), process(20, 10, 5, "b")});
  CHECK(table.lineage(10).size() <= 64);
}

TEST_CASE("a launcher that has ended stays an ancestor as long as what it started runs") {
  ProcessTable table({process(1, 0, 0, "init"), process(10, 1, 5, "launcher")});
  table.update(
      {process(1, 0, 0, "init"), process(10, 1, 5, "launcher"), process(20, 10, 9, "player")});
  // The system gives the orphan to init, and the launcher's PID to somebody else.
  table.update({process(1, 0, 0, "init"), process(10, 1, 50, "stranger"),
                process(20, 1, 9, "renamed"), process(30, 20, 60, "helper")});
  auto line = table.lineage(20);
  REQUIRE(line.size() == 3);
  CHECK(line[0].executable == "renamed");
  CHECK(line[1].executable == "launcher");
  CHECK(table.lineage(30).size() == 4);
  CHECK(table.find(10)->executable == "stranger");

  // Nothing of it is left when the descendants have ended, too.
  table.update({process(1, 0, 0, "init")});
  CHECK(table.find(20) == nullptr);
  table.update({process(1, 0, 0, "init"), process(20, 1, 70, "player")});
  CHECK(table.lineage(20).size() == 2);
}

TEST_CASE("a process can be taken up before the next look at all of them") {
  ProcessTable table({process(1, 0, 0, "init")});
  table.add({process(20, 10, 9, "player"), process(10, 1, 5, "launcher")});
  table.update({process(1, 0, 0, "init"), process(20, 1, 9, "player")});
  CHECK(table.find(10) == nullptr);
  CHECK(table.lineage(20).size() == 3);
}

TEST_CASE("a chain of launchers that start each other and exit is not remembered without end") {
  ProcessTable table({process(1, 0, 0, "init"), process(2, 1, 1, "chain")});
  for (std::int64_t pid = 3; pid < 1000; ++pid) {
    const auto start = static_cast<std::uint64_t>(pid);
    table.add({process(pid, pid - 1, start, "chain")});
    table.update({process(1, 0, 0, "init"), process(pid, 1, start, "chain")});
  }
  CHECK(table.lineage(999).size() == pypac::kDeepestTree);
}

TEST_CASE("an unknown process has no lineage") {
  CHECK(ProcessTable{}.lineage(7).empty());
}

TEST_CASE("a PID inside a container is found only if it is one process alone") {
  ProcessEntry first = process(500, 1, 5, "Discord");
  first.namespace_pid = 2;
  ProcessEntry second = process(600, 1, 6, "spotify");
  second.namespace_pid = 2;
  CHECK(ProcessTable({first, second}).find_in_namespace(2, "Discord") == 500);
  second.executable = "Discord";
  CHECK(ProcessTable({first, second}).find_in_namespace(2, "Discord") == 0);
  CHECK(ProcessTable({first}).find_in_namespace(2, "other") == 0);
  CHECK(ProcessTable({first}).find_in_namespace(2, "") == 500);
  second.executable = "";  // not ours to see: it counts as no program
  CHECK(ProcessTable({second}).find_in_namespace(2, "") == 0);
  CHECK(ProcessTable({second}).find_in_namespace(2, "Discord") == 0);
}

TEST_CASE("a child that tells nobody when it was started counts as its parent's") {
  const ProcessTable table({process(10, 1, 5, "game"), process(20, 10, 0, "shielded")});
  const auto line = table.lineage(20);
  REQUIRE(line.size() == 2);
  CHECK(line[1].executable == "game");
}

TEST_CASE(
    "a process of which it is not told for a while when it was started is the same, or another") {
  ProcessTable table({process(10, 1, 5, "launcher"), process(20, 10, 9, "game")});
  for (const std::uint64_t told : {0, 9, 0}) {
    table.update({process(20, 1, told, "game")});
    CHECK(table.lineage(20).size() == 2);  // it keeps its ancestors
    CHECK(table.find(20)->start_time == told);
  }
  table.update({process(20, 1, 30, "game")});
  CHECK(table.lineage(20).size() == 1);
}

TEST_CASE("of processes that tell nobody when they were started, another name is another process") {
  ProcessTable table({process(10, 1, 5, "game"), process(20, 10, 0, "shielded")});
  table.update({process(10, 1, 5, "game"), process(20, 1, 0, "shielded")});
  CHECK(table.lineage(20).size() == 2);  // it keeps its ancestors
  table.update({process(10, 1, 5, "game"), process(20, 1, 0, "stranger")});
  CHECK(table.lineage(20).size() == 1);
}
