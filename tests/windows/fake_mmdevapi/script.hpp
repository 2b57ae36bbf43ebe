// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace fake {

inline constexpr std::uint64_t kForEver = std::numeric_limits<std::uint64_t>::max();

/// What a program plays, and how its session looks. Example: program game.exe tone=440
struct ProgramRule {
  std::string name;              // glob over the file name, without regard to case
  std::string content = "tone";  // tone, numbers (the frame's number), nothing, rendered
  double tone_hz = 440;
  double level = 0.25;  // amplitude
  bool hidden = false;  // plays, but its captures are zeros
  double volume = 1;    // of the session
  bool mute = false;
  std::string session = "own";         // own, none, shared (AUDCLNT_S_NO_SINGLE_PROCESS)
  std::vector<std::string> endpoints;  // ids, a session on each; none: the default one
  std::uint32_t delay_ms = 0;          // from the process's start to its first sound
  std::string display_name;
};

/// How packets come. Each client has a name that rules are matched with: the target's file name;
/// "except:" and that name in EXCLUDE mode; an endpoint's id.
struct CaptureSettings {
  std::vector<std::uint32_t> frames{480};  // of the packets, in turn
  std::uint32_t per_event = 1;
  double drift_ppm = 0;         // of the device's clock
  std::uint32_t jitter_us = 0;  // of the stamps, +-
  std::uint32_t capacity_ms = 2000;
  std::uint32_t latency_ms = 0;  // from a packet's end to its delivery
  std::string idle = "silent";   // while nothing plays: silent, zeros, nothing
  bool events = true;
  std::string second = "silent";  // what a second client of a process is: heard, refused
};

struct CaptureRule {
  std::string target;
  std::vector<std::pair<std::string, std::string>> settings;
};

/// What happens to packets [from, from + count), and again after each `every`.
struct PacketRule {
  std::string target;
  std::uint64_t from = 0;
  std::uint64_t count = 1;
  std::uint64_t every = 0;
  std::string what;
  double ms = 0;

  [[nodiscard]] bool covers(std::uint64_t packet) const;
};

struct ActivateRule {
  std::string target;
  std::uint64_t first = 0;  // of the activations that match the target
  std::uint64_t times = kForEver;
  long call = 0;    // what ActivateAudioInterfaceAsync returns
  long outer = 0;   // what GetActivateResult returns
  long result = 0;  // what GetActivateResult hands out
  std::uint32_t delay_ms = 0;
  std::string when = "later";  // later (on another thread), before_return, never
};

struct FailRule {
  std::string target;
  std::string method;     // IAudioCaptureClient::GetBuffer
  std::uint64_t nth = 0;  // of the client's calls of it, from 0
  std::uint64_t times = 1;
  long result = 0;             // S_OK: the call is only slow
  std::uint32_t delay_ms = 0;  // until the call returns
};

struct EndpointRule {
  std::string id;
  std::string name;
  bool capture = false;
  bool is_default = false;
  std::string state = "active";  // active, disabled, notpresent, unplugged
  std::uint32_t rate = 48000;
  std::uint32_t channels = 2;
  bool placed = true;            // the format says which loudspeaker or side a channel is
  std::string content = "tone";  // of a capture endpoint
  double tone_hz = 100;
  double level = 0.25;
};

/// The text script that says how this Windows behaves; README.md has its grammar.
struct Script {
  std::vector<ProgramRule> programs;
  std::vector<CaptureRule> captures;
  std::vector<PacketRule> packets;
  std::vector<ActivateRule> activations;
  std::vector<FailRule> failures;
  std::vector<EndpointRule> endpoints;
  bool service_running = true;
  bool service_notifies = true;

  /// Throws std::runtime_error with the line's number.
  [[nodiscard]] static std::shared_ptr<const Script> parse(std::string_view text);

  [[nodiscard]] CaptureSettings settings_of(std::string_view client) const;
};

/// Does `name` match a glob of * and ?, without regard to ASCII case?
[[nodiscard]] bool matches(std::string_view glob, std::string_view name);

/// The script in force: the one of PYPAC_FAKE_MMDEVAPI, read again when the file has changed.
/// [any-thread]
class CurrentScript {
 public:
  [[nodiscard]] std::shared_ptr<const Script> get();
  /// Takes a text instead of the file's. Throws as Script::parse.
  void set(std::string_view text);
  /// Looks whether the file has changed.
  void look();

 private:
  void read_file();

  std::mutex mutex_;
  std::shared_ptr<const Script> script_;
  bool from_file_ = true;
  std::uint64_t file_stamp_ = 0;
};

CurrentScript& current_script();

}  // namespace fake
