// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "capture/binding.hpp"
#include "capture/capture_views.hpp"
#include "capture/pipewire/frozen_programs.hpp"
#include "capture/pipewire/graph_view.hpp"
#include "capture/selector.hpp"
#include "capture/source_state.hpp"

namespace pypac {

// What the graph says of streams, and of sources that are bound to them, for people. All on the
// loop's thread, or under its lock.

/// The program file's name.
[[nodiscard]] std::string program_of(const StreamIdentity& identity);

/// A stream or input as `devices` and `ps` show it; its peak is not measured.
[[nodiscard]] StreamView stream_view(const GraphView& graph, const FrozenPrograms& frozen,
                                     const NodeRecord& node);

/// The device that the source is bound to has none of the inputs that it names.
[[nodiscard]] bool lacks_inputs(const GraphView& graph, const Selector& selector,
                                const Binding& binding);

/// What the graph says of a source.
[[nodiscard]] StateFacts told_facts(const GraphView& graph, const Selector& selector,
                                    const Binding& binding);

/// The same for a sentence, where it is in that state.
[[nodiscard]] ReasonFacts told_reason(const GraphView& graph, const Selector& selector,
                                      const Binding& binding, SourceState state);

/// Whom a source is bound to, and whom it leaves out; without state and reason.
[[nodiscard]] SourceStatus binding_status(const GraphView& graph, const FrozenPrograms& frozen,
                                          const Selector& selector, const Binding& binding);

}  // namespace pypac
