// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "capture/process_cover.hpp"

using pypac::cover_playing;
using pypac::cover_with_trees;
using pypac::ProcessCover;
using pypac::ProcessEntry;
using pypac::ProcessTable;

namespace {

ProcessEntry process(std::int64_t pid, std::int64_t parent, const char* executable,
                     std::uint64_t start_time = 0) {
  ProcessEntry entry;
  entry.pid = pid;
  entry.parent_pid = parent;
  entry.start_time = start_time == 0 ? static_cast<std::uint64_t>(pid) : start_time;
  entry.executable = executable;
  return entry;
}

std::vector<std::int64_t> pids(const std::vector<ProcessEntry>& processes) {
  std::vector<std::int64_t> result;
  for (const ProcessEntry& one : processes) result.push_back(one.pid);
  return result;
}

using Pids = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("a wanted program with all that it started is one tree") {
  const ProcessTable table({process(1, 0, "explorer.exe"), process(10, 1, "Discord.exe"),
                            process(11, 10, "Discord.exe"), process(12, 11, "Discord.exe")});
  const ProcessCover cover = cover_with_trees(table, {10, 11, 12});
  CHECK(pids(cover.roots) == Pids{10});
  CHECK(cover.entangled.empty());
}

TEST_CASE("gotcha 18: several programs, and voice in a process of its own, are several trees") {
  const ProcessTable table({process(1, 0, "explorer.exe"), process(10, 1, "game.exe"),
                            process(20, 1, "game.exe"), process(30, 1, "voice.exe")});
  CHECK(pids(cover_with_trees(table, {10, 20, 30}).roots) == Pids{10, 20, 30});
}

TEST_CASE("a tree holds what it has started also when nobody tells any more when its root was") {
  ProcessTable table({process(10, 1, "launcher.exe"), process(20, 10, "game.exe")});
  ProcessEntry untold = process(10, 1, "launcher.exe");
  untold.start_time = 0;
  table.update({untold, process(20, 10, "game.exe")});
  const ProcessCover cover = cover_with_trees(table, {10});
  CHECK(cover.roots.empty());
  CHECK(pids(cover.entangled) == Pids{10});
  CHECK(pids(cover_with_trees(table, {10, 20}).roots) == Pids{10});
}

TEST_CASE("a tree that holds something else is never captured whole") {
  // Discord has started a browser, which another source takes.
  const ProcessTable table({process(10, 1, "Discord.exe"), process(11, 10, "Discord.exe"),
                            process(12, 10, "chrome.exe"), process(13, 12, "chrome.exe")});
  const ProcessCover cover = cover_with_trees(table, {10, 11});
  CHECK(pids(cover.roots) == Pids{11});
  CHECK(pids(cover.entangled) == Pids{10});
  CHECK(pids(cover_with_trees(table, {12, 13}).roots) == Pids{12});
}

TEST_CASE("something else deep below entangles all of its wanted ancestors") {
  const ProcessTable table({process(10, 1, "a.exe"), process(11, 10, "a.exe"),
                            process(12, 11, "a.exe"), process(13, 12, "other.exe"),
                            process(14, 10, "a.exe")});
  const ProcessCover cover = cover_with_trees(table, {10, 11, 12, 14});
  CHECK(pids(cover.roots) == Pids{14});
  CHECK(pids(cover.entangled) == Pids{10, 11, 12});
}

TEST_CASE("what an ended child has started belongs to the tree as well") {
  ProcessTable table(
      {process(10, 1, "a.exe"), process(11, 10, "starter.exe"), process(12, 11, "other.exe")});
  table.update({process(10, 1, "a.exe"), process(12, 11, "other.exe")});
  const ProcessCover cover = cover_with_trees(table, {10});
  CHECK(cover.roots.empty());
  CHECK(pids(cover.entangled) == Pids{10});
}

TEST_CASE("a PID that somebody else has now is not the ancestor that had it") {
  ProcessTable table({process(10, 1, "launcher.exe"), process(12, 10, "game.exe")});
  table.update({process(10, 1, "music.exe", 500), process(12, 10, "game.exe")});
  const ProcessCover cover = cover_with_trees(table, {10});
  CHECK(pids(cover.roots) == Pids{10});
  CHECK(cover.entangled.empty());
}

TEST_CASE("what plays is taken by the topmost process of its program") {
  const ProcessTable table({process(1, 0, "explorer.exe"), process(10, 1, "chrome.exe"),
                            process(11, 10, "chrome.exe"), process(20, 1, "game.exe"),
                            process(30, 1, "quiet.exe")});
  const ProcessCover cover = cover_playing(table, {10, 11, 20, 30}, {11, 20});
  CHECK(pids(cover.roots) == Pids{10, 20});
  CHECK(cover.entangled.empty());
}

TEST_CASE("what plays inside another program's captured tree is not taken twice") {
  const ProcessTable table({process(10, 1, "Discord.exe"), process(11, 10, "chrome.exe")});
  CHECK(pids(cover_playing(table, {10, 11}, {10, 11}).roots) == Pids{10});
}

TEST_CASE("what plays is taken no higher than where the excluded begins") {
  // The browser's top has started the excluded game.
  const ProcessTable table(
      {process(10, 1, "chrome.exe"), process(11, 10, "chrome.exe"), process(12, 10, "game.exe")});
  const ProcessCover cover = cover_playing(table, {10, 11}, {11, 10});
  CHECK(pids(cover.roots) == Pids{11});
  CHECK(pids(cover.entangled) == Pids{10});
}

TEST_CASE("who plays and is not wanted, or does not run, is not taken") {
  const ProcessTable table({process(10, 1, "game.exe")});
  const ProcessCover cover = cover_playing(table, {99}, {10, 99});
  CHECK(cover.roots.empty());
  CHECK(cover.entangled.empty());
}

TEST_CASE("gotcha 22: who lets nobody look at it is not taken with the program that started it") {
  ProcessEntry shielded = process(11, 10, "voice.exe");
  shielded.start_time = 0;
  const ProcessTable table({process(1, 0, "explorer.exe"), process(10, 1, "game.exe"), shielded});
  const ProcessCover cover = cover_with_trees(table, {10});
  CHECK(cover.roots.empty());
  CHECK(pids(cover.entangled) == Pids{10});
}
