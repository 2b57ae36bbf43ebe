// SPDX-License-Identifier: MIT
#include "capture/binding.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

namespace pypac {
namespace {

/// What a pattern is for. A title changes: what is taken by one is taken as long as it matches,
/// what is left out by one stays out, so that a change of titles never lets more in.
enum class Purpose : std::uint8_t { take, leave_out };

constexpr Purpose opposite(Purpose purpose) noexcept {
  return purpose == Purpose::take ? Purpose::leave_out : Purpose::take;
}

bool process_matches(std::string_view pattern, const ProcessEntry& process,
                     const PinnedProcesses& pinned, Purpose purpose) {
  if (const std::int64_t pid = pid_of_pattern(pattern)) {
    return process.pid == pid && pinned.means(process);
  }
  return name_matches(pattern, process.executable) || name_matches(pattern, process.title) ||
         name_matches(pattern, process.command) || name_matches(pattern, process.package) ||
         (purpose == Purpose::leave_out && pinned.left_out(pattern, process));
}

/// What the stream itself says of its program: names only, for its PID says nothing of who had it.
bool stream_matches(std::string_view pattern, const StreamIdentity& stream) {
  return name_matches(pattern, stream.application_name) || name_matches(pattern, stream.binary) ||
         name_matches(pattern, stream.portal_app_id) || name_matches(pattern, stream.node_name);
}

int distance_of(std::string_view pattern, const StreamIdentity& stream,
                const PinnedProcesses& pinned, Purpose purpose) {
  if (stream_matches(pattern, stream)) return 0;
  for (std::size_t i = 0; i < stream.lineage.size(); ++i) {
    if (process_matches(pattern, stream.lineage[i], pinned, purpose)) return static_cast<int>(i);
  }
  return kNoMatch;
}

bool nearer_or_same(int distance, int other) {
  return distance != kNoMatch && (other == kNoMatch || distance <= other);
}

/// The distance at which the nearest of `patterns` matches, or kNoMatch.
int match_distance(std::span<const std::string> patterns, const StreamIdentity& stream,
                   const PinnedProcesses& pinned, Purpose purpose) {
  int nearest = kNoMatch;
  for (const std::string& pattern : patterns) {
    const int distance = distance_of(pattern, stream, pinned, purpose);
    if (distance != kNoMatch && nearer_or_same(distance, nearest)) nearest = distance;
  }
  return nearest;
}

bool device_matches(std::string_view pattern, const StreamIdentity& stream) {
  if (pattern == "default") return stream.is_default;
  return name_matches(pattern, stream.node_name) || name_matches(pattern, stream.description);
}

bool any_device(std::span<const std::string> patterns, const StreamIdentity& stream) {
  return std::ranges::any_of(patterns,
                             [&](const std::string& one) { return device_matches(one, stream); });
}

/// At which distance a process selector takes the stream, or leaves it out; or kNoMatch.
int process_distance(const Selector& selector, const StreamIdentity& stream,
                     const PinnedProcesses& pinned, Purpose purpose = Purpose::take) {
  const int distance = match_distance(selector.patterns, stream, pinned, purpose);
  if (distance == kNoMatch) return kNoMatch;
  const int excepted = match_distance(selector.except, stream, pinned, opposite(purpose));
  return nearer_or_same(excepted, distance) ? kNoMatch : distance;
}

bool names_a_pid(const Selector& selector) {
  return std::ranges::any_of(selector.patterns,
                             [](const std::string& one) { return pid_of_pattern(one) != 0; });
}

/// Where an exclusion goes by PID, a stream without one may be just what is to be left out.
bool excluded_by(const Selector& excluded, const StreamIdentity& stream,
                 const PinnedProcesses& pinned) {
  if (excluded.kind != SelectorKind::process) return selects(excluded, stream, pinned);
  if (stream.lineage.empty() && names_a_pid(excluded)) return true;
  return process_distance(excluded, stream, pinned, Purpose::leave_out) != kNoMatch;
}

/// The farthest ancestor that still matches: the process that a user means by "one Firefox".
const ProcessEntry* root_of(const Selector& selector, const StreamIdentity& stream,
                            const PinnedProcesses& pinned) {
  const ProcessEntry* root = stream.lineage.empty() ? nullptr : &stream.lineage.front();
  for (const ProcessEntry& process : stream.lineage) {
    for (const std::string& pattern : selector.patterns) {
      if (process_matches(pattern, process, pinned, Purpose::take)) root = &process;
    }
  }
  return root;
}

bool runs(const ProcessTable& processes, const std::string& pattern, const Selector& selector,
          const PinnedProcesses& pinned) {
  return std::ranges::any_of(processes.processes(), [&](const ProcessEntry& process) {
    if (!process_matches(pattern, process, pinned, Purpose::take)) return false;
    return std::ranges::none_of(selector.except, [&](const std::string& one) {
      return process_matches(one, process, pinned, Purpose::leave_out);
    });
  });
}

/// `pick: first`: the selector with only that pattern which counts now.
Selector first_running(const Selector& selector, std::span<const StreamIdentity> streams,
                       const ProcessTable& processes, const PinnedProcesses& pinned) {
  Selector narrowed = selector;
  for (const std::string& pattern : selector.patterns) {
    narrowed.patterns = {pattern};
    if (runs(processes, pattern, selector, pinned)) return narrowed;
    const bool heard = std::ranges::any_of(
        streams, [&](const StreamIdentity& stream) { return selects(narrowed, stream, pinned); });
    if (heard) return narrowed;
  }
  narrowed.patterns = {selector.patterns.empty() ? std::string{} : selector.patterns.front()};
  return narrowed;
}

/// `pick: newest`: which program of those taken was started last, as a key to compare streams by.
struct ProgramAge {
  std::uint64_t start_time = 0;
  std::int64_t pid = 0;
  std::uint64_t serial = 0;  // only for streams without a process: newer streams, newer program

  auto operator<=>(const ProgramAge&) const = default;
};

ProgramAge age_of(const Selector& selector, const StreamIdentity& stream,
                  const PinnedProcesses& pinned) {
  if (const ProcessEntry* root = root_of(selector, stream, pinned))
    return {root->start_time, root->pid, 0};
  return {0, stream.pid, stream.pid != 0 ? 0 : stream.serial};
}

}  // namespace

void PinnedProcesses::pin(std::span<const Selector> selectors, const ProcessTable& processes) {
  for (const Selector& selector : selectors) {
    pin_pids(selector, processes);
    pin_titles(selector.except, processes);
    for (const Selector& excluded : selector.except_sources) {
      pin_pids(excluded, processes);
      pin_titles(excluded.patterns, processes);
    }
  }
}

void PinnedProcesses::pin_pids(const Selector& selector, const ProcessTable& processes) {
  for (const auto* patterns : {&selector.patterns, &selector.except}) {
    for (const std::string& pattern : *patterns) {
      const std::int64_t pid = pid_of_pattern(pattern);
      const ProcessEntry* const process = pid == 0 ? nullptr : processes.find(pid);
      if (process && process->start_time != 0) start_times_.try_emplace(pid, process->start_time);
    }
  }
}

void PinnedProcesses::pin_titles(std::span<const std::string> patterns,
                                 const ProcessTable& processes) {
  for (const std::string& pattern : patterns) {
    for (const ProcessEntry& process : processes.processes()) {
      // Whom another name leaves out stays out without being remembered.
      if (name_matches(pattern, process.title) && !name_matches(pattern, process.executable))
        titled_[pattern].insert(key_of(process));
    }
  }
}

PinnedProcesses::Process PinnedProcesses::key_of(const ProcessEntry& process) {
  return {process.pid, process.start_time, process.executable};
}

bool PinnedProcesses::left_out(std::string_view pattern, const ProcessEntry& process) const {
  const auto titled = titled_.find(pattern);
  return titled != titled_.end() && titled->second.contains(key_of(process));
}

bool PinnedProcesses::means(const ProcessEntry& process) const noexcept {
  const auto pinned = start_times_.find(process.pid);
  return pinned != start_times_.end() &&
         (process.start_time == 0 || pinned->second == process.start_time);
}

bool StreamIdentity::known() const noexcept {
  // Not by its application name alone: Discord's voice calls itself "WEBRTC VoiceEngine".
  return !lineage.empty() || !binary.empty() || !portal_app_id.empty();
}

bool selects(const Selector& selector, const StreamIdentity& stream,
             const PinnedProcesses& pinned) {
  if (stream.kind == StreamKind::own) return false;
  switch (selector.kind) {
    case SelectorKind::process:
      return stream.kind != StreamKind::input &&
             process_distance(selector, stream, pinned) != kNoMatch;
    case SelectorKind::everything_except:
      // A re-emitter would bring the excluded program back in by another door.
      return stream.kind == StreamKind::playback && stream.known() &&
             match_distance(selector.except, stream, pinned, Purpose::leave_out) == kNoMatch &&
             std::ranges::none_of(selector.except_sources, [&](const Selector& excluded) {
               return excluded_by(excluded, stream, pinned);
             });
    case SelectorKind::system:
      // What a re-emitter plays has been captured where it came from.
      return stream.kind == StreamKind::playback;
    case SelectorKind::device:
      return stream.kind == StreamKind::input && any_device(selector.patterns, stream) &&
             !any_device(selector.except, stream);
  }
  return false;
}

std::vector<Binding> bind_sources(std::span<const Selector> selectors,
                                  std::span<const StreamIdentity> streams,
                                  const ProcessTable& processes, const PinnedProcesses& pinned) {
  // With `pick: first` only one pattern counts, for the claim on streams as well.
  std::vector<Selector> effective;
  effective.reserve(selectors.size());
  for (const Selector& selector : selectors) {
    const bool narrow = selector.kind == SelectorKind::process && selector.pick == Pick::first;
    effective.push_back(narrow ? first_running(selector, streams, processes, pinned) : selector);
  }

  std::vector<Binding> bindings(selectors.size());
  std::vector<std::optional<ProgramAge>> newest(selectors.size());
  for (const StreamIdentity& stream : streams) {
    int nearest = std::numeric_limits<int>::max();
    for (const Selector& selector : effective) {
      if (selector.kind != SelectorKind::process || !selects(selector, stream, pinned)) continue;
      nearest = std::min(nearest, process_distance(selector, stream, pinned));
    }
    for (std::size_t i = 0; i < effective.size(); ++i) {
      const Selector& selector = effective[i];
      if (!selects(selector, stream, pinned)) continue;
      if (selector.kind == SelectorKind::process) {
        if (process_distance(selector, stream, pinned) > nearest) continue;
        if (selector.pick == Pick::newest) {
          const ProgramAge age = age_of(selector, stream, pinned);
          if (newest[i] && age < *newest[i]) continue;
          if (newest[i] && age > *newest[i]) bindings[i].serials.clear();
          newest[i] = age;
        }
      }
      bindings[i].serials.push_back(stream.serial);
    }
  }

  for (std::size_t i = 0; i < effective.size(); ++i) {
    Binding& binding = bindings[i];
    std::ranges::sort(binding.serials);
    if (selectors[i].kind == SelectorKind::process) {
      for (const ProcessEntry& process : processes.processes()) {
        const bool named = std::ranges::any_of(effective[i].patterns, [&](const std::string& one) {
          return process_matches(one, process, pinned, Purpose::take);
        });
        const bool excepted = std::ranges::any_of(effective[i].except, [&](const std::string& one) {
          return process_matches(one, process, pinned, Purpose::leave_out);
        });
        if (named && !excepted) binding.pids.push_back(process.pid);
      }
      std::ranges::sort(binding.pids);
    }
    if (!binding.serials.empty()) {
      binding.presence = Presence::bound;
    } else if (!binding.pids.empty() || selectors[i].kind == SelectorKind::everything_except ||
               selectors[i].kind == SelectorKind::system) {
      binding.presence = Presence::no_stream;
    }
  }
  return bindings;
}

}  // namespace pypac
