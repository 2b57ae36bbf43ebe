// SPDX-License-Identifier: MIT
#pragma once

#include "windows_headers.hpp"

namespace fake {

/// ActivateAudioInterfaceAsync, as the script says.
HRESULT activate_async(LPCWSTR path, REFIID iid, PROPVARIANT* parameters,
                       IActivateAudioInterfaceCompletionHandler* handler,
                       IActivateAudioInterfaceAsyncOperation** operation);

/// Are these the parameters of a process loopback, which only activate_async takes?
[[nodiscard]] bool is_process_loopback(const PROPVARIANT* parameters);

}  // namespace fake
