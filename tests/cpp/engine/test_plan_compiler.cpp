// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "capture/synthetic/synthetic_source.hpp"
#include "core/status.hpp"
#include "engine/plan_compiler.hpp"
#include "engine/track_order.hpp"
#include "filters/builtin_filters.hpp"
#include "lagging_filter.hpp"
#include "sinks/reader_ring.hpp"

using namespace pypac;

namespace {

struct Compiler {
  FilterRegistry filters;
  Ledger ledger;
  PlanCompiler compiler{filters, ledger};
  CompilerOptions options;
  std::shared_ptr<const Plan> plan = std::make_shared<const Plan>();

  Compiler() {
    add_builtin_filters(filters);
    filters.add([] { return std::make_unique<test::LaggingFilter>(); });
  }

  CompiledPlan compile(const GraphSpec& spec, bool running = false) {
    CompiledPlan compiled = compiler.compile(spec, *plan, options, running);
    compiled.set_values();
    plan = compiled.plan;
    options.budget_frames = compiled.budget_frames;
    return compiled;
  }

  std::string refusal(const GraphSpec& spec) {
    try {
      static_cast<void>(compiler.compile(spec, *plan, options, true));
    } catch (const Failure& failure) {
      return failure.what();
    }
    return "";
  }
};

SourceSpec source(const std::string& id) {
  return {id, std::make_shared<SyntheticSource>(SyntheticSignal{}, 48000, 2, 48000)};
}

FilterSpec lagging(const std::string& id, double frames, const std::string& key = "") {
  return {id, "lagging", {{"lag_frames", frames}, {"key", key}}};
}

FilterSpec gain(const std::string& id, double gain_db = -6) {
  return {id, "gain", {{"gain_db", gain_db}}};
}

TrackSpec track(const std::string& id, std::vector<FilterSpec> filters = {},
                const std::string& from = "a") {
  return {.id = id, .sends = {{from}}, .filters = std::move(filters)};
}

std::vector<std::string> ids(const Plan& plan) {
  std::vector<std::string> all;
  for (const Plan::Track& one : plan.tracks) all.push_back(one.node->id());
  return all;
}

}  // namespace

TEST_CASE("tracks stand behind those that steer them, else as given") {
  CHECK(order_tracks({{"game", {"voice"}}, {"voice", {}}, {"music", {}}}) ==
        std::vector<std::size_t>{1, 0, 2});
  CHECK(order_tracks({{"a", {}}, {"b", {}}}) == std::vector<std::size_t>{0, 1});
}

TEST_CASE("tracks that steer each other in a circle are refused with the path") {
  Compiler one;
  const GraphSpec spec{{source("a")},
                       {track("x", {lagging("f", 0, "y")}), track("y", {lagging("f", 0, "z")}),
                        track("z", {lagging("f", 0, "x")})},
                       {}};
  CHECK(one.refusal(spec) == "tracks steer each other in a circle: x -> y -> z -> x");
  CHECK(one.refusal({{source("a")}, {track("x", {lagging("f", 0, "x")})}, {}}) ==
        "tracks steer each other in a circle: x -> x");
  CHECK(one.refusal({{source("a")}, {track("x", {lagging("f", 0, "nobody")})}, {}}) ==
        "a filter of x has a key that is no track: nobody");
}

TEST_CASE("every track is as late as the longest, and the budget is whole blocks") {
  Compiler one;
  const CompiledPlan compiled =
      one.compile({{source("a")}, {track("slow", {lagging("f", 500)}), track("fast")}, {}});
  CHECK(compiled.budget_frames == 960);
  CHECK(compiled.plan->track("slow")->chain.lines->behind() == 460);
  CHECK(compiled.plan->track("fast")->chain.lines->behind() == 960);
  CHECK_FALSE(compiled.plan->track("fast")->may_pass);
}

TEST_CASE("a track waits for a key that is later than itself, and a key for its track") {
  Compiler one;
  one.compile({{source("a")},
               {track("ducked", {lagging("f", 100, "voice")}), track("voice", {lagging("f", 300)}),
                track("late", {lagging("f", 400), lagging("g", 0, "voice")})},
               {}});
  const auto& ducked = one.plan->track("ducked")->chain;
  CHECK(ducked.lines->before() == 300);
  CHECK(ducked.links[0].keys[0].line == nullptr);
  CHECK(ducked.latency_frames() == 400);
  const auto& late = one.plan->track("late")->chain;
  CHECK(late.lines->before() == 0);
  CHECK(late.links[1].keys[0].line->delay == 100);
  CHECK(one.plan->track("voice")->is_key);
  CHECK(ids(*one.plan).front() == "voice");
}

TEST_CASE("a chain beyond the budget is refused with both numbers, and headroom is for that") {
  Compiler one;
  one.compile({{source("a")}, {track("x", {lagging("f", 480)})}, {}});
  CHECK(one.refusal({{source("a")}, {track("x", {lagging("f", 481)})}, {}}) ==
        "the filters of x take 11 ms, and this session has 10 ms for filters, fixed at its start");
  Compiler roomy;
  roomy.options.headroom_frames = 1000;
  CHECK(roomy.compile({{source("a")}, {track("x")}, {}}).budget_frames == 1440);
  CHECK(roomy.refusal({{source("a")}, {track("x", {lagging("f", 1440)})}, {}}) == "");
}

TEST_CASE("what stays is the same node, what goes is leaving, and then dropped") {
  Compiler one;
  GraphSpec spec{{source("a"), source("b")}, {track("x", {gain("f"), gain("g")}), track("y")}, {}};
  spec.tracks[1].sends.push_back({"b", -6});
  one.compile(spec);
  const auto before = one.plan;
  spec.tracks[0].filters = {gain("f", -3), gain("h")};
  spec.tracks[1].sends.pop_back();
  spec.sources.pop_back();
  const CompiledPlan compiled = one.compile(spec, true);
  CHECK(compiled.diff.removed_sources == std::vector<std::string>{"b"});
  CHECK(compiled.diff.changed_tracks == std::vector<std::string>{"x", "y"});
  CHECK(compiled.diff.added_tracks.empty());
  const Plan::Track& x = *one.plan->track("x");
  CHECK(x.node == before->track("x")->node);
  REQUIRE(x.chain.links.size() == 3);
  CHECK(x.chain.links[0].slot == before->track("x")->chain.links[0].slot);
  CHECK(std::get<double>(x.chain.links[0].slot->values()[0]) == -3);
  CHECK(x.chain.links[1].slot == before->track("x")->chain.links[1].slot);
  CHECK(x.chain.links[1].leaving);
  CHECK(x.chain.links[2].slot->id() == "h");
  CHECK_FALSE(x.old_chain);
  CHECK(one.plan->source("b") == nullptr);
  CHECK(one.plan->sources.size() == 2);  // until it is not heard any more
  CHECK(one.plan->fades());
}

TEST_CASE("a change of latency brings in a new chain beside the old one") {
  Compiler one;
  one.options.headroom_frames = 480;
  one.compile({{source("a")}, {track("x", {gain("f")}), track("y")}, {}});
  const auto before = one.plan;
  one.compile({{source("a")}, {track("x", {gain("f"), lagging("l", 100)}), track("y")}, {}}, true);
  const Plan::Track& x = *one.plan->track("x");
  REQUIRE(x.old_chain);
  CHECK(x.old_chain->lines == before->track("x")->chain.lines);
  CHECK_FALSE(x.chain.lines->entered());
  CHECK(x.chain.lines->behind() == 380);
  CHECK(x.chain.links[0].slot != before->track("x")->chain.links[0].slot);
  CHECK_FALSE(one.plan->track("y")->old_chain);
}

TEST_CASE("a value that is not live is another filter") {
  Compiler one;
  one.options.headroom_frames = 480;
  one.compile({{source("a")}, {track("x", {lagging("l", 0)})}, {}});
  const auto slot = one.plan->track("x")->chain.links[0].slot;
  FilterSpec louder = lagging("l", 0);
  louder.params["live_gain"] = 2.0;
  one.compile({{source("a")}, {track("x", {louder})}, {}}, true);
  CHECK(one.plan->track("x")->chain.links[0].slot == slot);
  one.compile({{source("a")}, {track("x", {lagging("l", 10)})}, {}}, true);
  CHECK(one.plan->track("x")->chain.links[0].slot != slot);
}

TEST_CASE("a track that an output takes goes on without sources, and comes back as it was") {
  Compiler one;
  GraphSpec spec{{source("a")}, {track("x"), track("y")}, {}};
  one.compile(spec);
  spec.outputs.push_back(
      {"o", std::make_shared<ReaderRing>(std::vector<std::uint32_t>{2}, 480, 4800), {"y"}});
  one.compile(spec);
  const auto node = one.plan->track("y")->node;
  spec.tracks.pop_back();
  CHECK(one.compile(spec, true).diff.removed_tracks == std::vector<std::string>{"y"});
  CHECK(one.plan->track("y")->removed);
  CHECK(one.plan->outputs[0].tracks[0] == node);
  CHECK(one.compile(spec, true).diff.removed_tracks.empty());
  spec.tracks.push_back(track("y"));
  CHECK(one.compile(spec, true).diff.changed_tracks == std::vector<std::string>{"y"});
  CHECK(one.plan->track("y")->node == node);
  spec.tracks[1].channels = 1;
  CHECK(one.refusal(spec).find("another number of channels") != std::string::npos);
}

TEST_CASE("whatever is edited, nodes are kept by their id and every plan is whole") {
  std::mt19937 random(7);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int round = 0; round < 20; ++round) {
    Compiler one;
    one.options.headroom_frames = 4800;
    std::vector<SourceSpec> pool;
    for (int i = 0; i < 5; ++i) pool.push_back(source("s" + std::to_string(i)));
    for (int edit = 0; edit < 30; ++edit) {
      GraphSpec spec;
      for (const SourceSpec& one_source : pool)
        if (pick(3) > 0) spec.sources.push_back(one_source);
      for (int t = 0; t < 5; ++t) {
        if (pick(3) == 0) continue;
        TrackSpec made{.id = "t" + std::to_string(t), .sends = {}, .filters = {}};
        for (const SourceSpec& one_source : spec.sources)
          if (pick(2) == 0) made.sends.push_back({one_source.id, -1.0 * pick(20)});
        for (int f = 0; f < 3; ++f) {
          // Keys only to tracks before this one, so that there is no circle.
          const bool has_key = !spec.tracks.empty() && pick(2) == 0;
          const std::string key = has_key ? spec.tracks.front().id : "";
          if (pick(2) == 0)
            made.filters.push_back(lagging("f" + std::to_string(f), pick(300), key));
        }
        std::ranges::shuffle(made.filters, random);
        spec.tracks.push_back(made);
      }
      const auto before = one.plan;
      one.compile(spec, edit > 0);
      const Plan& plan = *one.plan;
      REQUIRE(plan.tracks.size() == spec.tracks.size());
      REQUIRE(plan.wanted_sources == spec.sources.size());
      std::set<std::string> done;
      for (const Plan::Track& made : plan.tracks) {
        const auto wanted = std::ranges::find_if(
            spec.tracks, [&](const auto& spec_track) { return spec_track.id == made.node->id(); });
        REQUIRE(wanted != spec.tracks.end());
        if (const Plan::Track* const old = before->track(made.node->id()))
          REQUIRE(old->node == made.node);
        // All tracks come out at the same time.
        REQUIRE(made.chain.latency_frames() + made.chain.lines->behind() ==
                *one.options.budget_frames);
        std::vector<std::string> filters;
        for (const auto& link : made.chain.links) {
          for (const auto& key : link.keys)
            if (!link.leaving) REQUIRE(done.contains(key.track->id()));
          if (!link.leaving) filters.push_back(link.slot->id());
        }
        std::vector<std::string> wanted_filters;
        for (const auto& filter : wanted->filters) wanted_filters.push_back(filter.id);
        REQUIRE(filters == wanted_filters);
        const auto live = std::ranges::count_if(
            made.sends, [](const auto& one_send) { return !one_send.leaving; });
        REQUIRE(live == static_cast<std::ptrdiff_t>(wanted->sends.size()));
        for (const auto& one_send : made.sends)
          REQUIRE(std::ranges::find(plan.sources, one_send.source) != plan.sources.end());
        done.insert(made.node->id());
      }
    }
  }
}

TEST_CASE("tracks that do not steer each other are filtered side by side, eight at most") {
  Compiler one;
  GraphSpec spec{{source("a")}, {}, {}};
  for (int i = 0; i < 10; ++i) spec.tracks.push_back(track(std::to_string(i), {gain("g")}));
  one.compile(spec);
  CHECK(one.plan->groups == std::vector<std::size_t>{8, 2});
  spec.tracks[4].filters = {lagging("f", 0, "2")};
  one.compile(spec, true);
  CHECK(one.plan->groups == std::vector<std::size_t>{4, 6});
  // What is faded out still hears its key.
  spec.tracks[4].filters = {gain("g")};
  one.compile(spec, true);
  CHECK(one.plan->groups == std::vector<std::size_t>{4, 6});
  one.options.tracks_at_once = 1;
  one.compile(spec, true);
  CHECK(one.plan->groups == std::vector<std::size_t>(10, 1));
}
