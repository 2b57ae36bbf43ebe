// SPDX-License-Identifier: MIT
// A session in a process of its own: says "y" when its tracks are there ("n": it was refused), and
// keeps them until its input ends.
#include <cstdio>
#include <vector>

#include "core/host_clock.hpp"
#include "core/status.hpp"
#include "sinks/shared_tracks.hpp"

int main() {
  using namespace pypac;
  using namespace std::chrono_literals;
  const auto tell = [](char byte) {
    std::putchar(byte);
    std::fflush(stdout);
  };
  try {
    ManualClock clock(5s);
    SharedTracks shared({"stream", 48000, 100, 400, 1000}, {{"game", 2}, {"voice", 1}}, clock);
    shared.start({4s, 48000});
    const std::vector<float> samples(100, 0.25F);
    const float* const channels[] = {samples.data(), samples.data()};
    if (!shared.begin_block(0, 100)) return 1;
    shared.write_track(0, channels);
    shared.write_track(1, channels);
    shared.commit_block();
    tell('y');
    static_cast<void>(std::getchar());
  } catch (const Failure&) {
    tell('n');
  }
}
