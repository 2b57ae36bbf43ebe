// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "core/time.hpp"

namespace pypac {

/// Why frames are missing or were moved. Each has one plain sentence in pypac_obs/incidents.py.
enum class Cause : std::uint8_t {
  not_running,      // no program matches
  no_stream,        // the program runs and has no audio stream
  paused,           // it has paused its stream
  starting,         // a stream was found and linked; its first frame has not come
  refused,          // it cannot be captured without something that must not be captured
  stalled,          // no packet came in time: a frozen program, an overloaded machine, a refusal
  underrun,         // the audio system went on, and the program gave nothing for a moment
  late,             // frames came after their place had been played; dropped, beside its silence
  lost_cycles,      // the source's own clock jumped ahead: the audio system lost frames
  clock_changed,    // another clock or rate drives the source now
  clock_stepped,    // the clock's host time jumped and stayed there
  overlap,          // frames came twice; the second ones were dropped
  restamped,        // a stamp was one packet late and was corrected; nothing is missing
  capture_overrun,  // the ring from the capture thread was full
  output_overrun,   // a reader was too slow: its own frames were dropped
  backend_lost,     // the audio system went away
  track_muted,      // the user muted the track
  no_sources,       // nothing is sent to the track
  track_removed,    // the profile has the track no longer
  source_failed,    // the source's own code raised, or gave what is no audio
  filter_late,      // a filter in another process was not in time: the track went by it
  count_
};

/// What the audio system says of its clock at one packet or graph cycle.
struct ClockReading {
  std::uint64_t clock_id = 0;   // another id is another clock: positions are not comparable
  std::uint32_t rate = 48000;   // positions per second
  std::int64_t position = 0;    // device_time of the first frame; see has_position
  std::uint32_t frames = 0;     // how many frames this reading covers
  HostTime host_time{};         // when the first frame is heard
  bool has_position = true;     // false: the system counts nothing (Windows process loopback)
  bool host_time_valid = true;  // false: the system says that its stamp is wrong
  bool frames_missing = false;  // the system says that it lost frames just before these
  HostTime received{};  // when the system handed it over, if known; else 0. A host_time that
                        // is seconds away from it is not believed
  Cause new_clock = Cause::clock_changed;  // why frames are missing before those of another clock
};

/// Where a packet lies, by ClockDomain::stamp(): all sources of one clock get the same stamps, so
/// that they stay aligned to the sample whatever the clock does.
struct Stamp {
  std::int64_t device_time = 0;  // of the first frame, in frames of the source's clock
  std::uint32_t epoch = 0;       // device times compare only within one epoch
  double timeline = 0;           // of the first frame; a whole number exactly while passing through
  double step = 1;       // timeline frames per device frame; exactly 1 while passing through
  bool suspect = false;  // may lie elsewhere: the next packet's stamp tells
  bool claims_previous = false;  // the suspect packet before this one ends where this one begins
  bool clamped = false;          // the reading's host_time was not believed; the curve was followed
  Cause break_cause{};           // why this epoch began: the cause of a gap between two epochs
};

/// One packet as the pump sees it: planar, channel c at `samples + c * frames`.
struct PacketView {
  Stamp stamp;
  std::uint32_t frames = 0;
  std::uint32_t lost_before = 0;   // packets that the full ring refused just before this one
  bool silent_before = false;      // the clock went on just before, and the source gave nothing
  const float* samples = nullptr;  // valid until the packet is popped
};

}  // namespace pypac
