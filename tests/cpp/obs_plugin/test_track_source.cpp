// SPDX-License-Identifier: GPL-2.0-or-later
#include <doctest/doctest.h>

#include "counting_writer.hpp"
#include "fake_libobs.hpp"
#include "runtime_folder.hpp"

using namespace pypac;
using namespace pypac::test;
using namespace std::chrono_literals;
using fake_obs::Module;
using fake_obs::Source;

namespace {

using Choices = std::vector<std::pair<std::string, std::string>>;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a source's page lists the tracks of running sessions, and the one that it has") {
  const RuntimeFolder folder;
  const Module module;
  const SystemClock clock;
  CountingWriter writer("my stream", {"game", "a/b"}, clock);
  writer.start(clock.now());
  {
    const Source unset({});
    CHECK(unset.page().choices == Choices{{"Choose a track", ""},
                                          {"a/b - my stream", "my stream/a%2Fb"},
                                          {"game - my stream", "my stream/game"}});
    CHECK(contains(unset.page().text, "pypac-obs run"));
    const Source other({{"session", "other"}, {"track", "voice"}});
    CHECK(other.page().choices == Choices{{"a/b - my stream", "my stream/a%2Fb"},
                                          {"game - my stream", "my stream/game"},
                                          {"voice - other", "other/voice"}});
    CHECK(contains(other.page().text, "no session other with a track voice is running"));
  }
}

TEST_CASE("a source's settings are a session and a track, or one choice on its page") {
  const RuntimeFolder folder;
  const Module module;
  Source source({{"session", "stream"}, {"track", "game"}});
  CHECK(source.setting("choice") == "stream/game");
  // By its page.
  source.update({{"choice", "other/a%2Fb"}});
  CHECK(source.setting("session") == "other");
  CHECK(source.setting("track") == "a/b");
  // By a client that knows nothing of the page.
  source.update({{"session", "stream"}, {"track", "voice"}});
  CHECK(source.setting("track") == "voice");
  CHECK(source.setting("choice") == "stream/voice");
  // Nonsense changes nothing.
  source.update({{"choice", "no such thing"}});
  CHECK(source.setting("track") == "voice");
  CHECK(source.setting("choice") == "stream/voice");
  source.update({{"session", std::string(5000, 'x')}});
  CHECK(source.page().choices.size() == 1);
  // As OBS loads it again, with all three.
  const Source again({{"session", "s"}, {"track", "t"}, {"choice", "s/t"}});
  CHECK(again.setting("choice") == "s/t");
}

TEST_CASE("every text that the module shows is in its locale file") {
  const RuntimeFolder folder;
  const Module module;
  CHECK(module.text("Kind") == "PyPAC-OBS track");
  for (const char* state :
       {"unset", "absent", "incompatible", "damaged", "starting", "running", "ended", "gone"})
    CHECK(module.text(std::string("State.") + state) != std::string("State.") + state);
  CHECK(fake_obs::missing_texts().empty());
}
