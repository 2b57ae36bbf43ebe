// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sinks/playout.hpp"

namespace pypac {

struct VirtualSourcesOptions {
  std::string remote;  // name or path of the daemon's socket; empty: as PipeWire does
  std::string session;
  std::uint32_t sample_rate = 48000;
};

/// A microphone for each track, as other programs see it: PipeWire nodes of class Audio/Source that
/// they record from (OBS by pulse_input_capture), under their virtual_source_name().
///
/// The nodes share a group, so one driver clocks them all, and Playout gives them the same frames
/// in the same cycle. They ask for no link, and captures of ours leave them out. Where PipeWire
/// goes away they come back with it. Everything is [control-thread]; frames are taken on PipeWire's
/// data thread.
class VirtualSources {
 public:
  enum class State : std::uint8_t {
    lost,       // PipeWire is not there, or refuses the node; it is tried again
    idle,       // nobody records from it
    recording,  // somebody does
  };
  struct Status {
    std::string node_name;
    State state = State::lost;
    Frames lost_frames = 0;
  };

  /// Connects, and returns when programs can see the nodes: one for each track of `playout`, called
  /// `names`. Throws Failure(backend_unavailable, permission_denied, unsupported).
  VirtualSources(const VirtualSourcesOptions& options, std::vector<std::string> names,
                 std::shared_ptr<Playout> playout);
  ~VirtualSources();
  VirtualSources(const VirtualSources&) = delete;
  VirtualSources& operator=(const VirtualSources&) = delete;

  [[nodiscard]] std::vector<Status> status();

  /// The nodes are gone once this has returned, and no frame is taken any more. Final.
  void stop() noexcept;

 private:
  class Nodes;
  std::unique_ptr<Nodes> nodes_;
};

}  // namespace pypac
