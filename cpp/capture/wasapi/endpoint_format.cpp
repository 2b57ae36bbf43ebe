// SPDX-License-Identifier: MIT
#include "capture/wasapi/endpoint_format.hpp"

#include <audioclient.h>
#include <mmdeviceapi.h>
#include <windows.h>

#include <thread>

#include "capture/wasapi/com.hpp"
#include "capture/wasapi/device_enumerator.hpp"

namespace pypac {
namespace {

HRESULT read_format(IMMDevice& device, EndpointFormat& format) {
  ComPtr<IAudioClient> client;
  HRESULT result = device.Activate(__uuidof(IAudioClient), CLSCTX_ALL, nullptr, client.put_void());
  if (FAILED(result)) return result;
  WAVEFORMATEX* mix = nullptr;
  result = client->GetMixFormat(&mix);
  if (FAILED(result)) return result;
  format.rate = mix->nSamplesPerSec;
  format.channels = mix->nChannels;
  format.bits = mix->wBitsPerSample;
  CoTaskMemFree(mix);
  REFERENCE_TIME period = 0;
  REFERENCE_TIME least = 0;
  result = client->GetDevicePeriod(&period, &least);
  format.period_100ns = period;
  format.least_period_100ns = least;
  return result;
}

std::vector<EndpointFormat> read_formats() {
  std::vector<EndpointFormat> formats;
  const ScopedApartment apartment;
  ComPtr<IMMDeviceEnumerator> devices;
  if (FAILED(apartment.result()) || FAILED(open_devices(devices))) return formats;
  for (const bool input : {false, true}) {
    ComPtr<IMMDevice> device;
    if (FAILED(
            devices->GetDefaultAudioEndpoint(input ? eCapture : eRender, eConsole, device.put()))) {
      continue;
    }
    EndpointFormat format;
    format.input = input;
    format.error = read_format(*device.get(), format);
    formats.push_back(format);
  }
  return formats;
}

}  // namespace

std::vector<EndpointFormat> default_endpoint_formats() {
  std::vector<EndpointFormat> formats;
  // The caller's thread may be in an apartment of another kind.
  std::thread([&formats] { formats = read_formats(); }).join();
  return formats;
}

}  // namespace pypac
