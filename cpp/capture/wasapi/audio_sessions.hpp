// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/time.hpp"

namespace pypac {

/// An audio session of a program on one endpoint, as the Windows mixer shows it.
struct AudioSession {
  std::uint64_t serial = 0;  // as long as the session lives
  std::int64_t pid = 0;      // 0: Windows does not tell
  std::string name;          // what the program calls it; mostly empty
  std::string endpoint;      // friendly name of what it plays to
  bool active = false;       // it plays
  bool muted = false;
  float volume = 1;            // the mixer's slider; amplitude
  float peak = 0;              // amplitude, the highest since the last take_peaks()
  bool metered = false;        // peak was measured since
  std::uint32_t channels = 0;  // 0 while it does not play
  HostTime last_loud{};        // when its meter was last seen above -60 dBFS; 0: never
};

/// An input: a microphone, a line in.
struct AudioInput {
  std::uint64_t serial = 0;  // as long as the endpoint is there
  std::wstring id;
  std::string name;  // friendly: "Microphone (USB Audio)"
  bool is_default = false;
  std::uint32_t channels = 0;  // 0: Windows does not tell
  bool placed = true;          // its channels are left, right and so on
};

/// Watches the sessions of all active render endpoints, and the inputs.
///
/// For one thread, in the multithreaded apartment; Windows' callbacks come on threads of its own
/// and do nothing but set the event. It looks again at refresh(), after an event or, as a safety
/// net, from time to time.
class AudioSessions {
 public:
  /// `changed` is the event (HANDLE) to set when something has changed. Lives longer than this.
  explicit AudioSessions(void* changed);
  ~AudioSessions();
  AudioSessions(const AudioSessions&) = delete;
  AudioSessions& operator=(const AudioSessions&) = delete;

  /// Looks at what there is now. False: the audio service does not answer; error() says how.
  bool refresh();
  /// Reads volumes, mutes, states and meters of the sessions that are known.
  void read();

  [[nodiscard]] const std::vector<AudioSession>& sessions() const noexcept;
  [[nodiscard]] const std::vector<AudioInput>& inputs() const noexcept;
  [[nodiscard]] const std::string& default_output() const noexcept;
  [[nodiscard]] const std::string& default_input() const noexcept;
  /// HRESULT of the last refresh(); 0: it went well.
  [[nodiscard]] long error() const noexcept;
  /// Peaks begin anew.
  void take_peaks() noexcept;

 private:
  class Watch;
  std::unique_ptr<Watch> watch_;
};

}  // namespace pypac
