// SPDX-License-Identifier: MIT
#pragma once

#include <mmdeviceapi.h>

#include "capture/wasapi/com.hpp"

namespace pypac {

/// Windows' list of outputs and inputs. The calling thread must be in an apartment.
[[nodiscard]] inline HRESULT open_devices(ComPtr<IMMDeviceEnumerator>& devices) noexcept {
  return CoCreateInstance(__uuidof(MMDeviceEnumerator), nullptr, CLSCTX_ALL,
                          __uuidof(IMMDeviceEnumerator), devices.put_void());
}

}  // namespace pypac
