// SPDX-License-Identifier: MIT
#include "capture/binding.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "capture/browsers.hpp"

namespace pypac {
namespace {

constexpr int kNoMatch = -1;

/// What a pattern is for. A title changes: what is taken by one is taken as long as it matches,
/// what is left out by one stays out, so that a change of titles never lets more in.
enum class Purpose : std::uint8_t { take, leave_out };

constexpr Purpose opposite(Purpose purpose) noexcept {
  return purpose == Purpose::take ? Purpose::leave_out : Purpose::take;
}

/// Who the process is. A title says it only where the program file is not ours to see.
bool identity_matches(std::string_view pattern, const ProcessEntry& process,
                      const PinnedProcesses& pinned) {
  if (const std::int64_t pid = pid_of_pattern(pattern)) {
    return process.pid == pid && pinned.means(process);
  }
  return name_matches(pattern, process.executable) || name_matches(pattern, process.command) ||
         name_matches(pattern, process.package) ||
         (process.executable.empty() && name_matches(pattern, process.title));
}

bool title_matches(std::string_view pattern, const ProcessEntry& process,
                   const PinnedProcesses& pinned, Purpose purpose) {
  return name_matches(pattern, process.title) ||
         (purpose == Purpose::leave_out && pinned.left_out(pattern, process));
}

bool process_matches(std::string_view pattern, const ProcessEntry& process,
                     const PinnedProcesses& pinned, Purpose purpose) {
  return identity_matches(pattern, process, pinned) ||
         title_matches(pattern, process, pinned, purpose);
}

/// What the stream itself says of its program that matches; empty: nothing.
std::string_view claim_that_matches(std::string_view pattern, const StreamIdentity& stream) {
  for (const std::string* claim : {&stream.application_name, &stream.binary, &stream.node_name}) {
    if (name_matches(pattern, *claim)) return *claim;
  }
  return {};
}

/// How many of the stream's process and its ancestors a name may mean.
std::size_t reach_of_names(const StreamIdentity& stream) {
  const std::vector<ProcessEntry>& line = stream.lineage;
  const auto browser = std::ranges::find_if(line, is_browser);
  if (browser == line.end()) return line.size();
  auto end = browser;
  while (end != line.end() && end->executable == browser->executable) ++end;
  return static_cast<std::size_t>(end - line.begin());
}

/// How a stream matches. Distance from it to what a pattern names: 0 the program itself, 1 its
/// parent...
struct Match {
  int distance = kNoMatch;
  std::string_view claim{};  // empty: it is who the process is

  explicit operator bool() const noexcept { return distance != kNoMatch; }
  [[nodiscard]] bool by_identity() const noexcept { return distance != kNoMatch && claim.empty(); }
};

/// What may count: everything, or only who the process is.
enum class Evidence : std::uint8_t { any, identity };

Match match_of(std::string_view pattern, const StreamIdentity& stream,
               const PinnedProcesses& pinned, Purpose purpose, Evidence evidence) {
  if (name_matches(pattern, stream.portal_app_id)) return {0};
  const std::size_t reach =
      pid_of_pattern(pattern) != 0 ? stream.lineage.size() : reach_of_names(stream);
  for (std::size_t i = 0; i < reach; ++i) {
    if (identity_matches(pattern, stream.lineage[i], pinned)) return {static_cast<int>(i)};
  }
  if (evidence == Evidence::identity) return {};
  if (const std::string_view claim = claim_that_matches(pattern, stream); !claim.empty())
    return {0, claim};
  for (std::size_t i = 0; i < reach; ++i) {
    const ProcessEntry& process = stream.lineage[i];
    if (!title_matches(pattern, process, pinned, purpose)) continue;
    return {static_cast<int>(i), process.title.empty() ? pattern : process.title};
  }
  return {};
}

/// Whether one match is better than another: who the process is before what is claimed, then the
/// nearer.
bool is_better(const Match& match, const Match& other) {
  if (!match || !other) return static_cast<bool>(match);
  if (match.by_identity() != other.by_identity()) return match.by_identity();
  return match.distance < other.distance;
}

Match best_match(std::span<const std::string> patterns, const StreamIdentity& stream,
                 const PinnedProcesses& pinned, Purpose purpose, Evidence evidence) {
  Match best;
  for (const std::string& pattern : patterns) {
    const Match match = match_of(pattern, stream, pinned, purpose, evidence);
    if (is_better(match, best)) best = match;
  }
  return best;
}

/// The distance of the nearest that matches by whatever name.
int nearest_of_any_kind(std::span<const std::string> patterns, const StreamIdentity& stream,
                        const PinnedProcesses& pinned, Purpose purpose) {
  int nearest = kNoMatch;
  for (const std::string& pattern : patterns) {
    const int sure = match_of(pattern, stream, pinned, purpose, Evidence::identity).distance;
    const int any = claim_that_matches(pattern, stream).empty()
                        ? match_of(pattern, stream, pinned, purpose, Evidence::any).distance
                        : 0;
    for (const int distance : {sure, any}) {
      if (distance != kNoMatch && (nearest == kNoMatch || distance < nearest)) nearest = distance;
    }
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

/// How a process selector takes the stream, or leaves it out.
Match process_match(const Selector& selector, const StreamIdentity& stream,
                    const PinnedProcesses& pinned, Evidence evidence,
                    Purpose purpose = Purpose::take) {
  const Match match = best_match(selector.patterns, stream, pinned, purpose, evidence);
  if (!match || selector.except.empty()) return match;
  // What the rule itself takes out again, by whatever name, stays out.
  const int excepted = nearest_of_any_kind(selector.except, stream, pinned, opposite(purpose));
  return excepted != kNoMatch && excepted <= match.distance ? Match{} : match;
}

bool names_a_pid(const Selector& selector) {
  return std::ranges::any_of(selector.patterns,
                             [](const std::string& one) { return pid_of_pattern(one) != 0; });
}

bool selects(const Selector& selector, const StreamIdentity& stream, const PinnedProcesses& pinned,
             Evidence evidence);

/// How `everything_except` leaves the stream out. Where an exclusion goes by PID, a stream without
/// one may be just what is to be left out.
Match excluded_by(const Selector& excluded, const StreamIdentity& stream,
                  const PinnedProcesses& pinned, Evidence evidence) {
  if (excluded.kind != SelectorKind::process)
    return selects(excluded, stream, pinned, evidence) ? Match{0} : Match{};
  if (stream.lineage.empty() && names_a_pid(excluded)) return {0};
  return process_match(excluded, stream, pinned, evidence, Purpose::leave_out);
}

Match exclusion_of(const Selector& selector, const StreamIdentity& stream,
                   const PinnedProcesses& pinned, Evidence evidence) {
  Match best = best_match(selector.except, stream, pinned, Purpose::leave_out, evidence);
  for (const Selector& excluded : selector.except_sources) {
    const Match match = excluded_by(excluded, stream, pinned, evidence);
    if (is_better(match, best)) best = match;
  }
  return best;
}

/// True if the selector alone, without a look at others or at `pick`, takes the stream.
bool selects(const Selector& selector, const StreamIdentity& stream, const PinnedProcesses& pinned,
             Evidence evidence) {
  if (stream.kind == StreamKind::own) return false;
  switch (selector.kind) {
    case SelectorKind::process:
      return stream.kind != StreamKind::input &&
             static_cast<bool>(process_match(selector, stream, pinned, evidence));
    case SelectorKind::everything_except:
      // A re-emitter would bring the excluded program back in by another door.
      return stream.kind == StreamKind::playback && stream.known() &&
             !exclusion_of(selector, stream, pinned, evidence);
    case SelectorKind::system:
      // What a re-emitter plays has been captured where it came from.
      return stream.kind == StreamKind::playback;
    case SelectorKind::device:
      return stream.kind == StreamKind::input && any_device(selector.patterns, stream) &&
             !any_device(selector.except, stream);
  }
  return false;
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
    const bool heard = std::ranges::any_of(streams, [&](const StreamIdentity& stream) {
      return selects(narrowed, stream, pinned, Evidence::any);
    });
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

/// What is worth a word of a match.
Tie tie_of(const Match& match, const StreamIdentity& stream, const Selector& selector) {
  Tie tie;
  tie.claim = match.claim;
  if (match.distance <= 0 || names_a_pid(selector)) return tie;
  const ProcessEntry& ancestor = stream.lineage[static_cast<std::size_t>(match.distance)];
  // Several processes of one program are nothing special.
  if (program_name(ancestor) != program_name(stream.lineage.front()))
    tie.ancestor = program_name(ancestor);
  return tie;
}

/// Why `everything_except` does not have the stream, where the user may not expect it.
void note_left_out(Binding& binding, const Selector& selector, const StreamIdentity& stream,
                   const PinnedProcesses& pinned, Evidence evidence) {
  if (stream.kind != StreamKind::playback) return;
  if (!stream.known()) {
    binding.unknown.push_back(stream.serial);
    return;
  }
  const Match match = exclusion_of(selector, stream, pinned, evidence);
  if (!match.claim.empty()) binding.left_out_by_claim.emplace(stream.serial, match.claim);
}

}  // namespace

const char* name_of(StreamKind kind) {
  switch (kind) {
    case StreamKind::playback:
      return "playback";
    case StreamKind::re_emitter:
      return "re_emitter";
    case StreamKind::input:
      return "input";
    case StreamKind::own:
      break;
  }
  return "own";
}

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
  return !lineage.empty() || !portal_app_id.empty();
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
    Match best;
    for (const Selector& selector : effective) {
      if (selector.kind != SelectorKind::process ||
          !selects(selector, stream, pinned, Evidence::any))
        continue;
      const Match match = process_match(selector, stream, pinned, Evidence::any);
      if (is_better(match, best)) best = match;
    }
    const Evidence evidence = best.by_identity() ? Evidence::identity : Evidence::any;
    for (std::size_t i = 0; i < effective.size(); ++i) {
      const Selector& selector = effective[i];
      Binding& binding = bindings[i];
      if (!selects(selector, stream, pinned, evidence)) {
        if (selector.kind == SelectorKind::everything_except)
          note_left_out(binding, selector, stream, pinned, evidence);
        continue;
      }
      if (selector.kind == SelectorKind::process) {
        const Match match = process_match(selector, stream, pinned, evidence);
        if (is_better(best, match)) continue;
        if (selector.pick == Pick::newest) {
          const ProgramAge age = age_of(selector, stream, pinned);
          if (newest[i] && age < *newest[i]) continue;
          if (newest[i] && age > *newest[i]) {
            binding.serials.clear();
            binding.ties.clear();
          }
          newest[i] = age;
        }
        if (Tie tie = tie_of(match, stream, selector); !tie.claim.empty() || !tie.ancestor.empty())
          binding.ties.emplace(stream.serial, std::move(tie));
      }
      binding.serials.push_back(stream.serial);
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
