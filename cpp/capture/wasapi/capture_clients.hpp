// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "capture/mixed_source.hpp"
#include "capture/source_state.hpp"
#include "capture/wasapi/capture_client.hpp"
#include "capture/wasapi/wasapi_capture.hpp"
#include "core/time.hpp"

namespace pypac {

/// The taps of one source: those in use by what they take, and those that wait for a next use.
struct SourceTaps {
  std::map<CaptureTarget, std::shared_ptr<Tap>> used;
  std::vector<std::shared_ptr<Tap>> free;
};

/// Stops them all: each is told to before the first is waited for, and all together, with what is
/// done `meanwhile` until that deadline, have that time.
void stop_together(const std::vector<std::shared_ptr<CaptureClient>>& clients, HostTime time,
                   const std::function<void(HostTime)>& meanwhile) noexcept;

/// The capture clients of all sources: one for each target, fanned out to those who want it,
/// because a second one of the same program can be silent. For one thread at a time.
class CaptureClients {
 public:
  /// Gives the source a tap for each of these targets, ascending, and takes those of all others.
  void settle(const std::vector<CaptureTarget>& targets, MixedSource& source, SourceTaps& taps);
  /// The taps are given nothing once this has returned.
  void detach(const SourceTaps& taps) noexcept;
  /// Takes the clients out that no one of these targets needs. They are to be stopped.
  [[nodiscard]] std::vector<std::shared_ptr<CaptureClient>> take_unused(
      const std::set<CaptureTarget>& used);
  [[nodiscard]] std::vector<std::shared_ptr<CaptureClient>> take_all();
  /// These have been stopped. Where Windows holds one up, its target gets no other one for a
  /// moment: two of one program can both be silent.
  void keep_ending(const std::vector<std::shared_ptr<CaptureClient>>& stopped);

  [[nodiscard]] bool any_opening() const;
  /// What the clients of these targets bring, for the state of a source.
  void add_facts(const std::vector<CaptureTarget>& targets, StateFacts& facts) const;
  /// All of them have brought silence for so long that it is not a matter of delays.
  [[nodiscard]] bool long_silent(const std::vector<CaptureTarget>& targets) const;
  /// The first of them that cannot be opened; nullptr: all can.
  [[nodiscard]] const CaptureClient* refused(const std::vector<CaptureTarget>& targets) const;
  void describe(WasapiServer& server) const;

 private:
  /// Frames came just now.
  [[nodiscard]] static bool delivers(const CaptureClient& client);
  [[nodiscard]] const CaptureClient* find(const CaptureTarget& target) const;
  [[nodiscard]] bool is_ending(const CaptureTarget& target) const;

  struct Ending {
    std::shared_ptr<CaptureClient> client;
    HostTime until{};  // it is waited for
  };

  std::map<CaptureTarget, std::shared_ptr<CaptureClient>> clients_;
  std::vector<Ending> ending_;
};

}  // namespace pypac
