// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "capture/process_table.hpp"
#include "capture/selector.hpp"

namespace pypac {

/// What selectors mean by that which changes with time.
///
/// Which process each PID in a pattern stands for: the first that was seen under it. Once that has
/// ended its PID names nobody, whoever gets it next. And whom a title has left out: whoever had it
/// once stays out until the process ends, or runs another program file, whatever it is titled then.
/// Example: everything but "* - Chat"; its window is closed to the tray, and it rings.
class PinnedProcesses {
 public:
  /// [control-thread] Pins what the selectors name and is not pinned yet, as far as it runs.
  void pin(std::span<const Selector> selectors, const ProcessTable& processes);

  /// [any-thread] True if the process is the one that its PID stands for, or, where nobody tells
  /// when it was started, may be.
  [[nodiscard]] bool means(const ProcessEntry& process) const noexcept;

  /// [any-thread] True if the process was left out by `pattern` for a title that it had.
  [[nodiscard]] bool left_out(std::string_view pattern, const ProcessEntry& process) const;

 private:
  using Process = std::tuple<std::int64_t, std::uint64_t, std::string>;  // PID, start, program file

  [[nodiscard]] static Process key_of(const ProcessEntry& process);
  void pin_pids(const Selector& selector, const ProcessTable& processes);
  void pin_titles(std::span<const std::string> patterns, const ProcessTable& processes);

  std::map<std::int64_t, std::uint64_t> start_times_;             // by PID
  std::map<std::string, std::set<Process>, std::less<>> titled_;  // by pattern
};

/// What an audio stream is, as far as selectors care.
enum class StreamKind : std::uint8_t {
  playback,    // a program's output
  re_emitter,  // plays what others gave it (an equaliser, a loopback): taken only if named
  own,         // ours: never taken
  input,       // a microphone or a virtual source
};

/// As users read it.
[[nodiscard]] const char* name_of(StreamKind kind);

/// Who an audio stream belongs to, by every name there is.
struct StreamIdentity {
  std::uint64_t serial = 0;  // unique in the audio system's life
  StreamKind kind = StreamKind::playback;
  std::int64_t pid = 0;               // 0: unknown
  std::string binary;                 // what the stream says its program file is
  std::string application_name;       // "Discord"
  std::string node_name;              // of the stream; of the device for an input
  std::string description;            // of the device for an input
  std::string portal_app_id;          // Flatpak: "com.discordapp.Discord"
  bool is_default = false;            // the system's default input
  std::vector<ProcessEntry> lineage;  // the process and its ancestors, nearest first

  /// Enough is known to tell that it is not some other program: its process, or its Flatpak. What
  /// the stream says of itself is not enough.
  [[nodiscard]] bool known() const noexcept;
};

enum class Presence : std::uint8_t {
  not_running,  // no program matches (device: it is not there)
  no_stream,    // a program matches and has no audio
  bound,        // there are streams
};

/// Why a source takes a stream, where the user may not expect it. Empty: it names the program.
struct Tie {
  std::string claim;     // the stream only calls itself so, or its window is titled so
  std::string ancestor;  // the program that is named, which has started the stream's
};

/// What one source is bound to now.
struct Binding {
  Presence presence = Presence::not_running;
  std::vector<std::uint64_t> serials;  // ascending
  std::vector<std::int64_t> pids;      // of running programs that match, with audio or not
  std::map<std::uint64_t, Tie> ties;   // by serial; only of those that are worth a word
  // everything_except: by serial, what a stream calls itself for which alone it is left out, and
  // streams that are left out because nobody knows who plays them.
  std::map<std::uint64_t, std::string> left_out_by_claim;
  std::vector<std::uint64_t> unknown;
};

/// [any-thread] Applies all selectors to all streams: one binding for each selector.
///
/// Each stands for itself but for two rules. Where `process` selectors match a stream through its
/// ancestors, those that match nearer take it from the others. Example: `music: Spotify` was
/// started from `voice: Discord`; it goes to music only. And a name that is only claimed (what the
/// stream calls itself, the title of a window) counts only where no `process` selector matches who
/// the process is: its program file, its command, its package or an ancestor's. Example: Discord
/// calls itself "Chromium"; with `voice: Discord` it goes to voice, not to `web: chromium`.
///
/// A browser belongs to no program that opened a link in it: by name, who started a browser's
/// process is not looked at.
[[nodiscard]] std::vector<Binding> bind_sources(std::span<const Selector> selectors,
                                                std::span<const StreamIdentity> streams,
                                                const ProcessTable& processes,
                                                const PinnedProcesses& pinned);

}  // namespace pypac
