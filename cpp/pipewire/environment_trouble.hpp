// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "core/status.hpp"

namespace pypac {

/// [control-thread] Why the daemon at `remote` (a socket's name or path; empty: as PipeWire looks
/// for it) cannot be reached, in words that name the cause: a variable of the environment, another
/// user's socket, too few file descriptors, or that none runs. `error` is the connection's errno.
[[nodiscard]] Failure pipewire_connection_failure(int error, const std::string& remote);

/// [control-thread] Why PipeWire's client part cannot be set up: `what` says which part.
[[nodiscard]] Failure pipewire_setup_failure(int error, const std::string& what);

}  // namespace pypac
