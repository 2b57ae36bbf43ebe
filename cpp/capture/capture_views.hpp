// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "capture/source_state.hpp"

namespace pypac {

/// A stream as a user knows it.
struct StreamView {
  std::uint64_t serial = 0;
  std::uint32_t node_id = 0;
  std::int64_t pid = 0;  // 0: unknown
  std::string program;   // file name of the program
  std::string application_name;
  std::string portal_app_id;
  std::string media_name;
  std::string node_name;
  std::string description;  // of an input: its name for people
  std::string kind;         // playback, re_emitter, input, own
  std::string state;        // running, idle, suspended, creating, error
  std::string sink;         // name of the device it plays to; empty: none
  bool playing = false;     // running, and not paused by its program
  bool muted = false;
  std::string silence;            // of playback: why nothing is heard, as a source's reason says it
  double volume = 1.0;            // as sliders show it: the cube root of the amplitude
  double volume_db = 0.0;         // of the amplitude; -inf at 0
  double peak_db = 0.0;           // dBFS since the last call; NaN: not measured
  std::uint32_t sample_rate = 0;  // the program's own; 0: unknown
  std::uint32_t channels = 0;
};

/// A stream that a source is bound to.
struct BoundStream {
  std::uint64_t serial = 0;
  std::uint32_t node_id = 0;
  std::int64_t pid = 0;
  std::string program;
  std::string application_name;
  std::string state;  // running, idle, suspended, creating, error
  bool muted = false;
  bool frozen = false;
  std::vector<std::string> devices;  // Windows: all that it plays to, and is captured from; sorted
  std::uint32_t inputs = 0;          // of a device: how many it has; 0: unknown
  std::vector<std::uint32_t> taken;  // of these, from 1; empty: all, each where its position is
  // Why the source has it, where the user may not expect it; see Tie.
  std::string claim;
  std::string ancestor;
};

/// A program that `everything_except` leaves out, for a reason that the user may not expect.
struct LeftOut {
  std::int64_t pid = 0;  // 0: unknown
  std::string program;
  std::string claim;  // what it only calls itself; empty: nobody knows who plays it
};

struct SourceStatus {
  std::string name;
  SourceState state = SourceState::not_running;
  std::string reason;  // one plain sentence
  std::vector<BoundStream> streams;
  std::vector<std::int64_t> pids;  // running programs that match, with audio or not
  std::vector<LeftOut> left_out;
  std::uint64_t packets = 0;  // pushed since start()
};

}  // namespace pypac
