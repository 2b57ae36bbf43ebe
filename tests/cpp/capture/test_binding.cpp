// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "capture/binding.hpp"
#include "capture/browsers.hpp"

using pypac::bind_sources;
using pypac::Binding;
using pypac::is_browser;
using pypac::Pick;
using pypac::PinnedProcesses;
using pypac::Presence;
using pypac::ProcessEntry;
using pypac::ProcessTable;
using pypac::Selector;
using pypac::SelectorKind;
using pypac::StreamIdentity;
using pypac::StreamKind;

namespace {

using Serials = std::vector<std::uint64_t>;

/// A desktop to order: processes, and the streams that they play.
class Desktop {
 public:
  ProcessEntry& run(std::int64_t pid, const char* name, std::int64_t parent = 1) {
    ProcessEntry entry;
    entry.pid = entry.namespace_pid = pid;
    entry.parent_pid = parent;
    entry.start_time = ++time_;
    entry.executable = name;
    processes_.push_back(entry);
    return processes_.back();
  }

  StreamIdentity& play(std::uint64_t serial, std::int64_t pid) {
    StreamIdentity stream;
    stream.serial = serial;
    stream.pid = pid;
    stream.lineage = ProcessTable(processes_).lineage(pid);
    streams_.push_back(stream);
    return streams_.back();
  }

  /// Its window says something else, or the process runs another program (exec).
  ProcessEntry& process(std::int64_t pid) {
    return *std::ranges::find(processes_, pid, &ProcessEntry::pid);
  }

  /// The process ends; its streams stay, as they may for a moment, or in a child's hands.
  void end(std::int64_t pid) {
    std::erase_if(processes_, [&](const ProcessEntry& process) { return process.pid == pid; });
  }

  std::vector<Binding> bind(const std::vector<Selector>& selectors) {
    const ProcessTable processes(processes_);
    pinned_.pin(selectors, processes);
    return bind_sources(selectors, streams_, processes, pinned_);
  }

  /// As bind(), once the streams know what their processes are by now.
  std::vector<Binding> bind_anew(const std::vector<Selector>& selectors) {
    for (StreamIdentity& stream : streams_)
      stream.lineage = ProcessTable(processes_).lineage(stream.pid);
    return bind(selectors);
  }

  Binding bind(const Selector& selector) { return bind(std::vector{selector})[0]; }

 private:
  std::uint64_t time_ = 0;
  std::vector<ProcessEntry> processes_;
  std::vector<StreamIdentity> streams_;
  PinnedProcesses pinned_;
};

Selector process(std::vector<std::string> patterns) {
  return {.patterns = std::move(patterns)};
}

Selector rest(std::vector<std::string> except) {
  return {.kind = SelectorKind::everything_except, .except = std::move(except)};
}

Selector microphone(std::string name) {
  return {.kind = SelectorKind::device, .patterns = {std::move(name)}};
}

}  // namespace

TEST_CASE("a program is found by file name, title, command, application name and portal id") {
  Desktop desktop;
  desktop.run(10, "wine64-preloader");
  desktop.run(11, "bwrap");
  desktop.play(1, 10).application_name = "cs2.exe";
  desktop.play(2, 11).portal_app_id = "com.discordapp.Discord";
  CHECK(desktop.bind(process({"CS2"})).serials == Serials{1});
  CHECK(desktop.bind(process({"wine64-preloader"})).serials == Serials{1});
  CHECK(desktop.bind(process({"*.Discord"})).serials == Serials{2});
}

TEST_CASE("a packaged app is found by its family, whatever runs it") {
  Desktop desktop;
  desktop.run(10, "WWAHost.exe").package = "4DF9E0F8.Netflix_mcm4njqhnhss8";
  desktop.run(11, "WWAHost.exe");
  desktop.play(1, 10);
  desktop.play(2, 11);
  CHECK(desktop.bind(process({"4df9e0f8.netflix_mcm4njqhnhss8"})).serials == Serials{1});
  CHECK(desktop.bind(process({"*.Netflix_*"})).serials == Serials{1});
  CHECK(desktop.bind(process({"wwahost"})).serials == Serials{1, 2});
}

TEST_CASE("all streams of a program are taken, those of its children too") {
  Desktop desktop;
  desktop.run(10, "chromium");
  desktop.run(11, "utility", 10);
  desktop.play(1, 10);
  desktop.play(2, 11);
  desktop.play(3, 11);
  CHECK(desktop.bind(process({"chromium"})).serials == Serials{1, 2, 3});
  CHECK(desktop.bind(process({"10"})).serials == Serials{1, 2, 3});
  CHECK(desktop.bind(process({"11"})).serials == Serials{2, 3});
}

TEST_CASE("a PID stands for the process that was first seen under it, and for no later one") {
  Desktop desktop;
  desktop.run(10, "game");
  desktop.run(11, "helper", 10);
  desktop.play(1, 10);
  const Selector mine = process({"10"});
  Selector others = process({"*"});
  others.except = {"10"};
  Selector all_but = rest({});
  all_but.except_sources = {mine};
  CHECK(desktop.bind(mine).serials == Serials{1});
  CHECK(desktop.bind(others).serials.empty());
  CHECK(desktop.bind(all_but).serials.empty());
  desktop.end(10);
  desktop.run(10, "stranger");
  desktop.play(2, 10);
  CHECK(desktop.bind(mine).serials == Serials{1});
  CHECK(desktop.bind(mine).pids.empty());
  CHECK(desktop.bind(others).serials == Serials{2});
  CHECK(desktop.bind(all_but).serials == Serials{2});
}

TEST_CASE("a PID is not pinned as long as nobody tells when its process was started") {
  ProcessEntry untold;
  untold.pid = 20;
  ProcessEntry told = untold;
  told.start_time = 9;
  ProcessEntry later = untold;
  later.start_time = 30;
  const std::vector<Selector> selectors{process({"20"})};
  PinnedProcesses pinned;
  pinned.pin(selectors, ProcessTable({untold}));
  CHECK_FALSE(pinned.means(untold));
  pinned.pin(selectors, ProcessTable({told}));
  CHECK(pinned.means(told));
  CHECK_FALSE(pinned.means(later));
  CHECK(pinned.means(untold));  // it may be
}

TEST_CASE("who was left out by a title stays out when it changes, and others do not") {
  Desktop desktop;
  desktop.run(10, "browser").title = "Chat - Browser";
  desktop.run(11, "browser").title = "News - Browser";
  desktop.run(12, "helper", 10);
  for (int i = 0; i < 3; ++i) desktop.play(i + 1, 10 + i);
  Selector by_source = rest({});
  by_source.except_sources = {process({"chat*"})};
  Selector taken = process({"browser"});
  taken.except = {"chat*"};
  const std::vector<Selector> selectors{rest({"chat*"}), by_source, taken};
  for (const Binding& binding : desktop.bind_anew(selectors)) CHECK(binding.serials == Serials{2});
  desktop.process(10).title = "Shop - Browser";
  for (const Binding& binding : desktop.bind_anew(selectors)) CHECK(binding.serials == Serials{2});
  CHECK(desktop.bind_anew(selectors)[2].pids == std::vector<std::int64_t>{11});
  desktop.process(10).title = "";
  for (const Binding& binding : desktop.bind_anew(selectors)) CHECK(binding.serials == Serials{2});
  // By another pattern it was never left out, and whoever gets its PID never was.
  CHECK(desktop.bind(rest({"chat"})).serials == Serials{1, 2, 3});
  desktop.end(10);
  desktop.run(10, "browser");
  CHECK(desktop.bind_anew(selectors)[0].serials == Serials{1, 2, 3});
  CHECK(desktop.bind_anew(selectors)[1].serials == Serials{1, 2, 3});
  CHECK(desktop.bind_anew(selectors)[2].serials == Serials{1, 2});
}

TEST_CASE("who is taken by a title is taken as long as it has it") {
  Desktop desktop;
  desktop.run(10, "browser").title = "Game";
  desktop.play(1, 10);
  const std::vector<Selector> selectors{process({"game"})};
  CHECK(desktop.bind_anew(selectors)[0].serials == Serials{1});
  desktop.process(10).title = "News";
  CHECK(desktop.bind_anew(selectors)[0].presence == Presence::not_running);
}

TEST_CASE("a process that runs another program is not left out for what the first was called") {
  Desktop desktop;
  // Between fork and exec a child bears its parent's name.
  desktop.run(10, "dash").title = "sh";
  desktop.play(1, 10);
  Selector selector = process({"*"});
  selector.except = {"sh"};
  CHECK(desktop.bind_anew({selector})[0].serials.empty());
  desktop.process(10).executable = desktop.process(10).title = "game";
  CHECK(desktop.bind_anew({selector})[0].serials == Serials{1});
}

TEST_CASE("a PID that nobody has yet is pinned to the first that gets it") {
  Desktop desktop;
  CHECK(desktop.bind(process({"10"})).presence == Presence::not_running);
  desktop.run(10, "game");
  desktop.play(1, 10);
  CHECK(desktop.bind(process({"10"})).serials == Serials{1});
}

TEST_CASE("the reasons for silence are told apart") {
  Desktop desktop;
  desktop.run(10, "Discord");
  CHECK(desktop.bind(process({"game"})).presence == Presence::not_running);
  CHECK(desktop.bind(process({"discord"})).presence == Presence::no_stream);
  CHECK(desktop.bind(process({"discord"})).pids == std::vector<std::int64_t>{10});
  desktop.play(1, 10);
  CHECK(desktop.bind(process({"discord"})).presence == Presence::bound);
}

TEST_CASE("except takes a child out of its parent's tree") {
  Desktop desktop;
  desktop.run(10, "steam");
  desktop.run(11, "launcher", 10);
  desktop.run(12, "game", 11);
  desktop.play(1, 10);
  desktop.play(2, 11);
  desktop.play(3, 12);
  Selector selector = process({"steam"});
  selector.except = {"launcher"};
  CHECK(desktop.bind(selector).serials == Serials{1});
  // The nearer name decides: the launcher is out, the game that it started is what was asked for.
  selector = process({"game"});
  selector.except = {"launcher"};
  CHECK(desktop.bind(selector).serials == Serials{3});
  selector.except = {"game"};
  CHECK(desktop.bind(selector).serials.empty());
}

TEST_CASE("a program started by another goes to the source that names it") {
  Desktop desktop;
  desktop.run(10, "Discord");
  desktop.run(11, "spotify", 10);
  desktop.play(1, 10);
  desktop.play(2, 11);
  const auto bindings = desktop.bind({process({"discord"}), process({"spotify"})});
  CHECK(bindings[0].serials == Serials{1});
  CHECK(bindings[1].serials == Serials{2});
}

TEST_CASE("two sources that name the same program both get it") {
  Desktop desktop;
  desktop.run(10, "game");
  desktop.play(1, 10);
  const auto bindings = desktop.bind({process({"game"}), process({"10"})});
  CHECK(bindings[0].serials == Serials{1});
  CHECK(bindings[1].serials == Serials{1});
}

TEST_CASE("pick first takes the first of the list that runs, even if it is silent") {
  Desktop desktop;
  desktop.run(10, "vesktop");
  desktop.play(1, 10);
  Selector selector = process({"discord", "vesktop"});
  selector.pick = Pick::first;
  CHECK(desktop.bind(selector).serials == Serials{1});
  desktop.run(11, "Discord");
  CHECK(desktop.bind(selector).presence == Presence::no_stream);
  desktop.play(2, 11);
  CHECK(desktop.bind(selector).serials == Serials{2});
}

TEST_CASE("pick newest takes every stream of the program started last") {
  Desktop desktop;
  desktop.run(30, "mpv");
  desktop.run(10, "mpv");
  desktop.run(11, "mpv", 10);
  desktop.play(1, 11);
  desktop.play(2, 30);
  desktop.play(3, 10);
  Selector selector = process({"mpv"});
  selector.pick = Pick::newest;
  CHECK(desktop.bind(selector).serials == Serials{1, 3});
}

TEST_CASE("everything_except holds while what it leaves out is not there") {
  Desktop desktop;
  desktop.run(10, "browser");
  desktop.play(1, 10);
  const Selector selector = rest({"game", "discord"});
  CHECK(desktop.bind(selector).serials == Serials{1});
  desktop.run(11, "Discord");
  desktop.play(2, 11);
  CHECK(desktop.bind(selector).serials == Serials{1});
}

TEST_CASE("everything_except leaves out what its sources could take, whatever their pick") {
  Desktop desktop;
  desktop.run(10, "Discord");
  desktop.run(11, "vesktop");
  desktop.run(12, "launcher");
  desktop.run(13, "game", 12);
  for (int i = 0; i < 4; ++i) desktop.play(i + 1, 10 + i);
  Selector voice = process({"discord", "vesktop"});
  voice.pick = Pick::first;
  Selector game = process({"launcher", "game"});
  game.except = {"launcher"};
  Selector selector = rest({});
  selector.except_sources = {voice, game};
  // The launcher is no part of the source `game`; so it is part of the rest.
  CHECK(desktop.bind(selector).serials == Serials{3});
}

TEST_CASE(
    "everything_except takes no stream of unknown identity, no re-emitter and nothing of ours") {
  Desktop desktop;
  desktop.run(10, "easyeffects");
  desktop.play(1, 0);
  desktop.play(2, 10).kind = StreamKind::re_emitter;
  desktop.play(3, 10).kind = StreamKind::own;
  desktop.play(4, 10).kind = StreamKind::input;
  desktop.play(5, 0).application_name = "WEBRTC VoiceEngine";
  // What it says of its program file is only what it says: it may be the one to leave out.
  desktop.play(6, 0).binary = "Discord";
  desktop.play(7, 0).portal_app_id = "com.discordapp.Discord";
  const Binding binding = desktop.bind(rest({}));
  CHECK(binding.serials == Serials{7});
  CHECK(binding.unknown == Serials{1, 5, 6});
  // By PID it cannot be told whether this stream is the one to leave out: it stays out.
  Selector selector = rest({});
  selector.except_sources = {process({"77"})};
  CHECK(desktop.bind(selector).serials.empty());
}

TEST_CASE("a name that is only claimed counts only where no source matches who the process is") {
  Desktop desktop;
  desktop.run(10, "Discord");
  desktop.run(11, "chromium");
  desktop.play(1, 10).application_name = "Chromium";
  desktop.play(2, 11).application_name = "Chromium";
  Selector others = rest({});
  others.except_sources = {process({"chromium"})};
  const auto apart = desktop.bind({process({"discord"}), process({"chromium"}), others});
  CHECK(apart[0].serials == Serials{1});
  CHECK(apart[1].serials == Serials{2});
  CHECK(apart[2].serials == Serials{1});
  CHECK(apart[0].ties.empty());
  CHECK(apart[2].left_out_by_claim.empty());
  // Nobody says who Discord is: its claim is all there is, and it is told that it is only a claim.
  const auto alone = desktop.bind({process({"chromium"}), others});
  CHECK(alone[0].serials == Serials{1, 2});
  CHECK(alone[0].ties.at(1).claim == "Chromium");
  CHECK_FALSE(alone[0].ties.contains(2));
  CHECK(alone[1].serials.empty());
  CHECK(alone[1].left_out_by_claim.at(1) == "Chromium");
  CHECK_FALSE(alone[1].left_out_by_claim.contains(2));
}

TEST_CASE("an ancestor is who a program is, before what the program calls itself") {
  Desktop desktop;
  desktop.run(10, "steam");
  desktop.run(11, "steamwebhelper", 10);
  desktop.play(1, 11).application_name = "Chromium";
  const auto bindings = desktop.bind({process({"chromium"}), process({"steam"})});
  CHECK(bindings[0].serials.empty());
  CHECK(bindings[1].serials == Serials{1});
  CHECK(bindings[1].ties.at(1).ancestor == "steam");
}

TEST_CASE("the title of a window does not take a program from the source that names it") {
  Desktop desktop;
  desktop.run(10, "chrome.exe").title = "Discord";
  desktop.run(11, "Discord.exe").title = "#general - Discord";
  desktop.play(1, 10);
  desktop.play(2, 11);
  const auto bindings = desktop.bind({process({"discord"}), process({"chrome"})});
  CHECK(bindings[0].serials == Serials{2});
  CHECK(bindings[1].serials == Serials{1});
  CHECK(desktop.bind(process({"discord"})).ties.at(1).claim == "Discord");
}

TEST_CASE("what a rule takes out again by a claimed name stays out, whoever names the program") {
  Desktop desktop;
  desktop.run(10, "helper");
  desktop.play(1, 10).application_name = "Chromium";
  Selector selector = process({"helper"});
  selector.except = {"chromium"};
  CHECK(desktop.bind({selector, process({"helper"})})[0].serials.empty());
}

TEST_CASE("a browser is known by the name of its file") {
  const auto is = [](const char* executable, const char* command = "") {
    ProcessEntry process;
    process.executable = executable;
    process.command = command;
    return is_browser(process);
  };
  for (const char* name : {"arc", "firefox", "Firefox.EXE", "msedge.exe", "mullvad-browser", "zen"})
    CHECK_MESSAGE(is(name), name);
  for (const char* name : {"", ".exe", "firefo", "firefox2", "fire.exe.fox",
                           "a-browser-whose-name-is-longer-than-all-others.exe"})
    CHECK_MESSAGE(!is(name), name);
  CHECK(is("wine64-preloader", "chrome.exe"));
  CHECK_FALSE(is("game", "chrome.exe"));
}

TEST_CASE("a browser belongs to no program that has opened a link in it, but for its PID") {
  Desktop desktop;
  desktop.run(10, "Discord");
  desktop.run(11, "firefox-esr", 10);
  desktop.run(12, "firefox-esr", 11);
  desktop.run(13, "discord-voice", 10);
  desktop.play(1, 12).application_name = "Firefox";
  desktop.play(2, 13);
  Selector others = rest({});
  others.except_sources = {process({"discord"})};
  const auto bindings =
      desktop.bind({process({"discord"}), others, process({"firefox"}), process({"11"})});
  CHECK(bindings[0].serials == Serials{2});
  CHECK(bindings[0].ties.at(2).ancestor == "Discord");
  CHECK(bindings[1].serials == Serials{1});
  CHECK(bindings[2].serials.empty());  // its PID is who it is, its name only a claim
  CHECK(bindings[3].serials == Serials{1});
  CHECK(desktop.bind(process({"firefox"})).serials == Serials{1});
  CHECK(desktop.bind(process({"10"})).serials == Serials{1, 2});
  CHECK(desktop.bind(process({"10"})).ties.empty());
}

TEST_CASE("system takes every program once, known or not, and no input") {
  Desktop desktop;
  desktop.play(1, 0);
  desktop.play(2, 0).kind = StreamKind::re_emitter;
  desktop.play(3, 0).kind = StreamKind::own;
  desktop.play(4, 0).kind = StreamKind::input;
  CHECK(desktop.bind(Selector{.kind = SelectorKind::system}).serials == Serials{1});
}

TEST_CASE("a device is found by default, name or description, and a program never is one") {
  Desktop desktop;
  desktop.run(10, "mic");
  StreamIdentity& input = desktop.play(1, 0);
  input.kind = StreamKind::input;
  input.node_name = "alsa_input.usb-Blue_Yeti";
  input.description = "Blue Yeti";
  desktop.play(2, 10);
  CHECK(desktop.bind(microphone("default")).presence == Presence::not_running);
  CHECK(desktop.bind(microphone("blue yeti")).serials == Serials{1});
  CHECK(desktop.bind(microphone("*usb-*")).serials == Serials{1});
  CHECK(desktop.bind(microphone("mic")).serials.empty());
  CHECK(desktop.bind(process({"*"})).serials == Serials{2});
}

TEST_CASE("default follows the system's default input") {
  Desktop desktop;
  StreamIdentity& input = desktop.play(1, 0);
  input.kind = StreamKind::input;
  input.is_default = true;
  CHECK(desktop.bind(microphone("default")).serials == Serials{1});
}
