// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pypac {

/// A parameter's value as a profile writes it: a number, a switch, a word, or a list of words.
using ParamValue = std::variant<double, bool, std::string, std::vector<std::string>>;

enum class ParamType {
  number,
  integer,
  boolean,
  choice,  // one of `choices`
  track,   // the id of a track that steers the filter: a key; "" where there is none
  tracks,  // several of them
};

/// How a control's travel maps to values.
enum class ParamScale { linear, logarithmic };

/// All that is known of one parameter. The profile's model, its JSON Schema, the docs and the
/// checks are made from it.
struct ParamInfo {
  std::string id;  // with its unit: "threshold_db"
  ParamType type = ParamType::number;
  std::string unit{};  // "dB", "Hz", "ms"; empty: none
  double min = 0;      // of numbers
  double max = 0;
  std::optional<ParamValue> fallback{};  // without one it has to be given
  ParamScale scale = ParamScale::linear;
  std::vector<std::string> choices{};
  bool live = true;    // false: another value takes another filter, which is faded in
  std::string help{};  // one sentence

  /// It names tracks that steer the filter.
  [[nodiscard]] bool is_key() const noexcept {
    return type == ParamType::track || type == ParamType::tracks;
  }
};

/// All that is known of a kind of filter.
struct PluginInfo {
  std::string kind;
  int version = 1;
  std::string help{};  // one sentence
  std::vector<ParamInfo> params{};
  std::uint32_t max_channels = 8;
  bool reduces = false;  // it tells by how much it makes a track quieter: dynamics
};

using ParamValues = std::map<std::string, ParamValue>;

/// [control-thread] The place of a parameter in `info.params`. Throws Failure(invalid_argument)
/// with what there is.
[[nodiscard]] std::size_t param_index(const PluginInfo& info, const std::string& id);

/// [control-thread] The value in its type, an integer as a number. Throws Failure(invalid_argument)
/// with what is valid.
[[nodiscard]] ParamValue checked_value(const PluginInfo& info, const ParamInfo& param,
                                       const ParamValue& value);

/// [control-thread] A value of every parameter, in the order of `info.params`, with those left out
/// filled in. Throws Failure(invalid_argument).
[[nodiscard]] std::vector<ParamValue> all_values(const PluginInfo& info, const ParamValues& given);

/// [control-thread] As a filter gets it: a switch is 0 or 1, a choice its place, a key 0.
[[nodiscard]] double as_number(const ParamInfo& param, const ParamValue& value);

/// [control-thread] The tracks that these values name, key by key; of a list each once.
[[nodiscard]] std::vector<std::string> key_tracks(const PluginInfo& info,
                                                  const std::vector<ParamValue>& values);

}  // namespace pypac
