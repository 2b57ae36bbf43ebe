// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "capture/selector.hpp"

using pypac::name_matches;
using pypac::pid_of_pattern;

TEST_CASE("a name matches whatever its case and with or without .exe") {
  CHECK(name_matches("Discord", "discord"));
  CHECK(name_matches("cs2.exe", "CS2.EXE"));
  CHECK(name_matches("cs2", "cs2.exe"));
  CHECK(name_matches("cs2.exe", "cs2"));
  CHECK_FALSE(name_matches("cs2", "cs20"));
  CHECK_FALSE(name_matches("cs2", "xcs2"));
}

TEST_CASE("a pattern matches the whole name") {
  CHECK(name_matches("steam_app_*", "steam_app_730"));
  CHECK(name_matches("*", "anything"));
  CHECK(name_matches("a?c", "abc"));
  CHECK(name_matches("*player*.exe", "My Player 2"));
  CHECK_FALSE(name_matches("steam_app_*", "my_steam_app_730"));
  CHECK_FALSE(name_matches("a?c", "ac"));
}

TEST_CASE("a name means the program of that name, whatever characters are in it") {
  for (const std::string name : {"Game [Demo]", "[A]*", "[!a]", "odd[name", "a+b^c$", "x{1}", "C&C",
                                 "what?", "back\\slash", "PipeWire ALSA [aplay]", "100%",
                                 "\xD0\xA9\xD0\xB8\xD1\x82 [\xD0\xB1\xD0\xB5\xD1\x82\xD0\xB0]"}) {
    CAPTURE(name);
    CHECK(name_matches(name, name));
  }
  CHECK_FALSE(name_matches("[a-c]at", "bat"));
  CHECK_FALSE(name_matches("[!x]at", "bat"));
  CHECK_FALSE(name_matches("Game [Demo]", "Game D"));
}

TEST_CASE("empty patterns and empty names match nothing") {
  CHECK_FALSE(name_matches("", "game"));
  CHECK_FALSE(name_matches("*", ""));
  CHECK_FALSE(name_matches("", ""));
}

TEST_CASE("a number is a PID and no name") {
  CHECK(pid_of_pattern("1234") == 1234);
  CHECK(pid_of_pattern("7zip") == 0);
  CHECK(pid_of_pattern("-5") == 0);
  CHECK(pid_of_pattern("") == 0);
  CHECK_FALSE(name_matches("1234", "1234"));
}

TEST_CASE("a name of digits only is one by its .exe") {
  CHECK(pid_of_pattern("1942.exe") == 0);
  CHECK(name_matches("1942.exe", "1942"));
  CHECK(name_matches("1942.exe", "1942.EXE"));
}

TEST_CASE("many stars take no exponential time") {
  std::string glob;
  for (int i = 0; i < 40; ++i) glob += "a*";
  CHECK_FALSE(name_matches(glob + "b", std::string(4000, 'a')));
}
