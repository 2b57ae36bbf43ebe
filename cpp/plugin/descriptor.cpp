// SPDX-License-Identifier: MIT
#include "plugin/descriptor.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/status.hpp"

namespace pypac {
namespace {

std::string text_of(double number) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number);
  return {text.data(), end.ptr};
}

std::string listed(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "" : ", ") + word;
  return list;
}

[[noreturn]] void refuse(const PluginInfo& info, const ParamInfo& param,
                         const std::string& expected) {
  throw Failure(ErrorKind::invalid_argument, info.kind + "." + param.id + " must be " + expected);
}

ParamValue checked_number(const PluginInfo& info, const ParamInfo& param, const ParamValue& value) {
  const double* const number = std::get_if<double>(&value);
  const bool fits = number && std::isfinite(*number) && *number >= param.min &&
                    *number <= param.max &&
                    (param.type == ParamType::number || std::trunc(*number) == *number);
  if (fits) return *number;
  const std::string unit = param.unit.empty() ? "" : " " + param.unit;
  refuse(info, param,
         std::string(param.type == ParamType::integer ? "a whole number" : "a number") + " from " +
             text_of(param.min) + " to " + text_of(param.max) + unit);
}

}  // namespace

std::size_t param_index(const PluginInfo& info, const std::string& id) {
  std::vector<std::string> known;
  for (std::size_t i = 0; i < info.params.size(); ++i) {
    if (info.params[i].id == id) return i;
    known.push_back(info.params[i].id);
  }
  throw Failure(ErrorKind::invalid_argument,
                "the filter " + info.kind + " has no parameter \"" + id + "\"",
                known.empty() ? "It has none." : "Use one of: " + listed(known) + ".");
}

ParamValue checked_value(const PluginInfo& info, const ParamInfo& param, const ParamValue& value) {
  switch (param.type) {
    case ParamType::number:
    case ParamType::integer:
      return checked_number(info, param, value);
    case ParamType::boolean:
      if (std::holds_alternative<bool>(value)) return value;
      refuse(info, param, "true or false");
    case ParamType::choice: {
      const auto* const word = std::get_if<std::string>(&value);
      if (word && std::ranges::find(param.choices, *word) != param.choices.end()) return value;
      refuse(info, param, "one of: " + listed(param.choices));
    }
    case ParamType::track:
      if (std::holds_alternative<std::string>(value)) return value;
      refuse(info, param, "the name of a track");
    case ParamType::tracks:
      if (std::holds_alternative<std::vector<std::string>>(value)) return value;
      if (const auto* const word = std::get_if<std::string>(&value))
        return std::vector<std::string>{*word};
      refuse(info, param, "a list of names of tracks");
  }
  refuse(info, param, "something else");
}

std::vector<ParamValue> all_values(const PluginInfo& info, const ParamValues& given) {
  for (const auto& [id, value] : given) static_cast<void>(param_index(info, id));
  std::vector<ParamValue> values;
  for (const ParamInfo& param : info.params) {
    if (const auto at = given.find(param.id); at != given.end()) {
      values.push_back(checked_value(info, param, at->second));
    } else if (param.fallback) {
      values.push_back(*param.fallback);
    } else {
      throw Failure(ErrorKind::invalid_argument,
                    "the filter " + info.kind + " needs a value for " + param.id);
    }
  }
  return values;
}

double as_number(const ParamInfo& param, const ParamValue& value) {
  if (const double* const number = std::get_if<double>(&value)) return *number;
  if (const bool* const on = std::get_if<bool>(&value)) return *on ? 1 : 0;
  if (param.type == ParamType::choice) {
    const auto at = std::ranges::find(param.choices, std::get<std::string>(value));
    return static_cast<double>(at - param.choices.begin());
  }
  return 0;
}

std::vector<std::string> key_tracks(const PluginInfo& info, const std::vector<ParamValue>& values) {
  std::vector<std::string> tracks;
  for (std::size_t i = 0; i < info.params.size(); ++i) {
    if (info.params[i].type == ParamType::track) {
      const auto& track = std::get<std::string>(values[i]);
      if (!track.empty()) tracks.push_back(track);
    } else if (info.params[i].type == ParamType::tracks) {
      const auto& named = std::get<std::vector<std::string>>(values[i]);
      for (const std::string& track : named)
        if (std::ranges::find(tracks, track) == tracks.end()) tracks.push_back(track);
    }
  }
  return tracks;
}

}  // namespace pypac
