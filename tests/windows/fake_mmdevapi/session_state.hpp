// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "com_object.hpp"
#include "process_tree.hpp"

namespace fake {

/// One program's audio session on one endpoint. [any-thread]
class SessionState {
 public:
  SessionState(Process process, std::string endpoint, bool shared);

  const Process process;
  const std::string endpoint;             // id
  const bool shared;                      // of several processes
  const std::string identifier;           // of the program
  const std::string instance_identifier;  // of this session

  [[nodiscard]] bool is_system_sounds() const { return process.pid == 0; }

  struct Look {
    AudioSessionState state = AudioSessionStateInactive;
    float volume = 1;
    bool mute = false;
    float peak = 0;  // of what it plays, before volume and mute
    std::wstring display_name;
  };
  [[nodiscard]] Look look() const;

  void set_state(AudioSessionState state);
  void set_volume(float volume, GUID context);
  void set_mute(bool mute, GUID context);
  void set_peak(float peak);
  void set_display_name(std::wstring name);

  void listen(IAudioSessionEvents* events);
  /// False: it did not listen.
  bool unlisten(IAudioSessionEvents* events);

 private:
  [[nodiscard]] std::vector<ComPointer<IAudioSessionEvents>> listeners_now() const;
  void tell_volume(GUID context);

  mutable std::mutex mutex_;
  Look look_;
  std::vector<ComPointer<IAudioSessionEvents>> listeners_;
};

}  // namespace fake
