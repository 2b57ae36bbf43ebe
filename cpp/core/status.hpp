// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace pypac {

/// Named by what the caller can do about it; bindings/ turns each into the Python class of that
/// name.
enum class ErrorKind {
  invalid_argument,     // the caller passed what cannot be
  not_running,          // the program or the object is not running
  permission_denied,    // the system refused
  unsupported,          // this system or version cannot do it
  backend_unavailable,  // the audio system is missing or cannot be reached
  device_gone,          // it was there and went away
  output_failed,        // an output's place is full, taken or unwritable
};

/// The outside world failed during set-up. Never thrown on a capture thread or the pump.
class Failure : public std::runtime_error {
 public:
  Failure(ErrorKind kind, const std::string& message, std::string remedy = {}, long native_code = 0)
      : std::runtime_error(message),
        kind_(kind),
        remedy_(std::move(remedy)),
        native_code_(native_code) {}

  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }
  [[nodiscard]] const std::string& remedy() const noexcept { return remedy_; }
  [[nodiscard]] long native_code() const noexcept { return native_code_; }

 private:
  ErrorKind kind_;
  std::string remedy_;  // one sentence: what the user can do
  long native_code_;    // errno or HRESULT; 0: none
};

}  // namespace pypac
