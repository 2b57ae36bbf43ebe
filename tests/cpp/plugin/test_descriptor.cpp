// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "core/status.hpp"
#include "plugin/descriptor.hpp"

using namespace pypac;

namespace {

const PluginInfo& info() {
  static const PluginInfo all{
      .kind = "all",
      .params = {{.id = "level_db", .unit = "dB", .min = -10, .max = 10, .fallback = -1.5},
                 {.id = "taps", .type = ParamType::integer, .min = 1, .max = 8, .fallback = 2.0},
                 {.id = "on", .type = ParamType::boolean, .fallback = true},
                 {.id = "shape",
                  .type = ParamType::choice,
                  .fallback = std::string("soft"),
                  .choices = {"soft", "hard"}},
                 {.id = "key", .type = ParamType::track, .fallback = std::string()},
                 {.id = "keys", .type = ParamType::tracks, .fallback = std::vector<std::string>{}}},
  };
  return all;
}

std::string refusal(const ParamValues& values) {
  try {
    static_cast<void>(all_values(info(), values));
  } catch (const Failure& failure) {
    return std::string(failure.what()) + " " + failure.remedy();
  }
  return "";
}

}  // namespace

TEST_CASE("what is left out has its default, and numbers stand for switches and choices") {
  const auto values = all_values(info(), {{"shape", std::string("hard")}});
  CHECK(as_number(info().params[0], values[0]) == -1.5);
  CHECK(as_number(info().params[2], values[2]) == 1);
  CHECK(as_number(info().params[3], values[3]) == 1);
}

TEST_CASE("what cannot be is refused with what can") {
  CHECK(refusal({{"level_db", 11.0}}) == "all.level_db must be a number from -10 to 10 dB ");
  CHECK(refusal({{"level_db", std::numeric_limits<double>::quiet_NaN()}}) != "");
  CHECK(refusal({{"level_db", true}}) != "");
  CHECK(refusal({{"taps", 1.5}}) == "all.taps must be a whole number from 1 to 8 ");
  CHECK(refusal({{"on", 1.0}}) == "all.on must be true or false ");
  CHECK(refusal({{"shape", std::string("round")}}) == "all.shape must be one of: soft, hard ");
  CHECK(refusal({{"key", 1.0}}) != "");
  CHECK(refusal({{"levle_db", 1.0}}) ==
        "the filter all has no parameter \"levle_db\" Use one of: level_db, taps, on, shape, key, "
        "keys.");
  const PluginInfo needs{.kind = "needs", .params = {{.id = "x", .max = 1}}};
  CHECK_THROWS_AS(static_cast<void>(all_values(needs, {})), Failure);
}

TEST_CASE("keys are the tracks that any parameter names") {
  const auto values = all_values(
      info(), {{"key", std::string("voice")}, {"keys", std::vector<std::string>{"game", "music"}}});
  CHECK(key_tracks(info(), values) == std::vector<std::string>{"voice", "game", "music"});
  CHECK(
      key_tracks(info(), all_values(info(), {{"keys", std::vector<std::string>{"a", "b", "a"}}})) ==
      std::vector<std::string>{"a", "b"});
  CHECK(key_tracks(info(), all_values(info(), {})).empty());
  CHECK(key_tracks(info(), all_values(info(), {{"keys", std::string("one")}})) ==
        std::vector<std::string>{"one"});
}
