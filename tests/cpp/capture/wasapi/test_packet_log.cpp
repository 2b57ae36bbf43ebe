// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "capture/wasapi/packet_log.hpp"

using pypac::PacketLog;
using pypac::PacketRecord;

TEST_CASE("packets are taken once, in their order") {
  PacketLog log;
  for (std::uint32_t frames : {480U, 441U}) {
    PacketRecord record;
    record.frames = frames;
    log.write(record);
  }
  const std::vector<PacketRecord> taken = log.take();
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].frames == 480);
  CHECK(taken[1].frames == 441);
  CHECK(log.take().empty());
  CHECK(log.lost() == 0);
}

TEST_CASE("what nobody takes is counted, and the oldest are kept") {
  PacketLog log;
  constexpr std::uint32_t kRoom = 16384;
  for (std::uint32_t i = 0; i < kRoom + 3; ++i) {
    PacketRecord record;
    record.frames = i;
    log.write(record);
  }
  const std::vector<PacketRecord> taken = log.take();
  REQUIRE(taken.size() == kRoom);
  CHECK(taken.back().frames == kRoom - 1);
  CHECK(log.lost() == 3);
}
