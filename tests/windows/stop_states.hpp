// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "capture/wasapi/capture_client.hpp"
#include "played_program.hpp"

namespace fake {

/// Waits for it as long as a busy machine may take. False: in vain.
[[nodiscard]] bool comes_true(const std::function<bool()>& condition);

/// A state in which a capture can be stopped.
struct StopState {
  std::string name;
  std::string script;  // of the double
  std::string then;    // taken once all captures hear; empty: they need not
  std::function<bool(const pypac::CaptureClient&)> reached;
};

/// All of them, for the programs that match a glob.
[[nodiscard]] std::vector<StopState> stop_states(const std::string& programs);

/// Brings a capture of each program into the state, under a double that has taken its script, and
/// stops them all at once: ms from the request to the end of each one's thread. Empty: the state
/// did not come, or a thread did not end.
[[nodiscard]] std::vector<double> stop_times_ms(const StopState& state,
                                                const PlayedPrograms& programs);

}  // namespace fake
