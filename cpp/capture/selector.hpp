// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pypac {

enum class SelectorKind : std::uint8_t {
  process,            // the programs named by `patterns`
  everything_except,  // every program whose identity is known and that is not excluded
  system,             // every program
  device,             // an input: a microphone or a virtual source
};

enum class Pick : std::uint8_t {
  all,     // every program that matches
  first,   // of the first pattern in the list that runs
  newest,  // of the matching program with audio that was started last
};

/// What a source captures, as the profile says it. A rule, never an id: it is applied again at
/// every event.
///
/// A pattern is a name (`Discord`), possibly with `*` and `?` (`steam_app_*`), or a PID (`1234`),
/// case-insensitive, with or without `.exe`: `1942.exe` is the program 1942. It stands for a
/// program and for what that program started.
struct Selector {
  SelectorKind kind = SelectorKind::process;
  /// process: who. device: names or patterns of inputs, `default` for the system's.
  std::vector<std::string> patterns{};
  /// Taken out again. Where a program matches both, the nearer in the process tree decides; at the
  /// same distance it stays out.
  std::vector<std::string> except{};
  /// everything_except: the sources that are left out, by their rules. `pick` is ignored there:
  /// what one of them could take stays out.
  std::vector<Selector> except_sources{};
  Pick pick = Pick::all;
  /// device: which of its inputs, from 1: one for both sides, or left and right. Empty: by default
  /// (taken_inputs).
  std::vector<std::uint32_t> channels{};
};

/// [control-thread] Throws Failure where no source `name` can be made of these.
void check_source(const std::string& name, const Selector& selector, std::uint32_t channels);

/// [any-thread] `pattern` against one name, as above; PIDs match no name.
[[nodiscard]] bool name_matches(std::string_view pattern, std::string_view name);

/// [any-thread] The pattern's PID, or 0 if it is a name.
[[nodiscard]] std::int64_t pid_of_pattern(std::string_view pattern) noexcept;

}  // namespace pypac
