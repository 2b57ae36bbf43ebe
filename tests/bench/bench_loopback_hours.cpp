// SPDX-License-Identifier: MIT
// Hours of a program on Windows through the engine, faster than real time: jitter, drift, lost
// packets and one jump. How far its frames are from their true places.
//   bench_loopback_hours HOURS
#include <cstdio>
#include <cstdlib>

#include "loopback_hours.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench_loopback_hours HOURS\n");
    return 2;
  }
  const double hours = std::atof(argv[1]);
  const pypac::test::LoopbackHours found = pypac::test::run_loopback_hours(hours);
  std::printf(
      "{\"hours\": %g, \"worst_ms\": %.4f, \"rms_ms\": %.4f, \"heard\": %.6f, \"lost_frames\": "
      "%.0f,"
      " \"silent_frames\": %.0f, \"incidents\": %zu, \"allocations\": %zu}\n",
      hours, found.worst_ms, found.rms_ms, found.heard, found.lost_frames, found.silent_frames,
      found.incidents, found.allocations);
  return 0;
}
