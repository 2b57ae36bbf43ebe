// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "sinks/virtual_source_name.hpp"

using pypac::virtual_source_name;

TEST_CASE("names are made of what PulseAudio takes") {
  CHECK(virtual_source_name("gaming", "voice") == "pypac-obs.gaming.voice");
  CHECK(virtual_source_name("my game", "mic 1") == "pypac-obs.my.20game.mic.201");
  CHECK(virtual_source_name("a.b", "\xC3\xBC") == "pypac-obs.a.2Eb..C3.BC");
}

TEST_CASE("long names fit and stay different") {
  const std::string one = virtual_source_name(std::string(200, 'a'), "one");
  const std::string two = virtual_source_name(std::string(200, 'a'), "two");
  CHECK(one.size() == 127);
  CHECK(one != two);
  CHECK(one == virtual_source_name(std::string(200, 'a'), "one"));
}
