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
}
