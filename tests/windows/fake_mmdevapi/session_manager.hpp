// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "script.hpp"
#include "windows_headers.hpp"

namespace fake {

/// The sessions of an endpoint, with one reference.
[[nodiscard]] IAudioSessionManager2* make_session_manager(std::string endpoint);

/// The peak of an endpoint, with one reference.
[[nodiscard]] IAudioMeterInformation* make_endpoint_meter(EndpointRule endpoint);

/// Says that a registration was changed inside one of the double's callbacks.
void check_not_in_callback(const char* where);

}  // namespace fake
