// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/graph_spec.hpp"
#include "engine/plan.hpp"
#include "plugin/registry.hpp"
#include "timeline/ledger.hpp"

namespace pypac {

/// What is the same for all plans of a session.
struct CompilerOptions {
  std::uint32_t sample_rate = 48000;
  std::uint32_t block_frames = 480;
  std::uint32_t max_sources = 256;
  std::uint32_t max_tracks = 256;
  std::uint32_t max_outputs = 256;
  /// How long all tracks are delayed; without one it follows from the longest chain.
  std::optional<std::uint32_t> budget_frames;
  std::uint32_t headroom_frames = 0;  // added to the longest chain
  std::uint32_t tracks_at_once = 8;   // that are filtered side by side, at most
};

/// What is different from the plan before, by ids.
struct PlanDiff {
  std::vector<std::string> added_sources;
  std::vector<std::string> removed_sources;
  std::vector<std::string> added_tracks;
  std::vector<std::string> removed_tracks;
  std::vector<std::string> changed_tracks;  // other sends or filters; not other values
};

/// A plan that nothing runs yet.
struct CompiledPlan {
  std::shared_ptr<const Plan> plan;
  PlanDiff diff;
  std::uint32_t budget_frames = 0;
  /// [control-thread] Brings the values of the spec to nodes that were there already. Cannot fail.
  std::function<void()> set_values;
};

/// Makes plans of what is wanted.
///
/// Whatever has the same id stays the same node, so that its state and its sound go on; what is new
/// is faded in, and what is gone faded out: it stays in the plan, leaving, until a plan that is
/// compiled behind that drops it. Every track is delayed to the session's budget, and every key to
/// the filter that it steers, so that all stay aligned. Where the latency of a running chain
/// changes, a new chain runs beside it until it is warm, and is then faded over to.
///
/// Example: track a with a filter of 100 frames, track b without: the budget is 480 (a whole
/// block), a is delayed by 380 more and b by 480.
class PlanCompiler {
 public:
  /// [control-thread] Both outlive the compiler.
  PlanCompiler(const FilterRegistry& filters, Ledger& ledger)
      : filters_(filters), ledger_(ledger) {}

  /// [control-thread] Changes nothing that runs. `previous`: what runs now; an empty plan at first.
  /// `running`: what is new is faded in. Throws Failure(invalid_argument) for what cannot be.
  [[nodiscard]] CompiledPlan compile(const GraphSpec& spec, const Plan& previous,
                                     const CompilerOptions& options, bool running) const;

 private:
  const FilterRegistry& filters_;
  Ledger& ledger_;
};

}  // namespace pypac
