// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

namespace pypac {

/// Why Windows does not let a microphone or another input be opened, and what the user can do.
struct InputRefusal {
  const char* why;     // the middle of a sentence
  const char* remedy;  // sentences
};

/// [any-thread] By the HRESULT of the attempt. Nothing: it says no more than that it failed.
[[nodiscard]] std::optional<InputRefusal> input_refusal(long code) noexcept;

}  // namespace pypac
