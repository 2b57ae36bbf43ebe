// SPDX-License-Identifier: MIT
#include "capture/wasapi/endpoint_format.hpp"

#include <audioclient.h>
#include <mmdeviceapi.h>
#include <windows.h>

#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "capture/wasapi/com.hpp"
#include "capture/wasapi/device_enumerator.hpp"
#include "capture/wasapi/float_format.hpp"
#include "capture/wasapi/input_refusal.hpp"
#include "capture/wasapi/windows_version.hpp"
#include "core/status.hpp"

namespace pypac {
namespace {

constexpr REFERENCE_TIME kBufferTime = 200 * 10'000LL;  // 200 ms

/// Looks whether a capture of the input would be let in.
void try_input(IMMDevice& device, EndpointFormat& format) {
  ComPtr<IAudioClient> client;
  HRESULT result = device.Activate(__uuidof(IAudioClient), CLSCTX_ALL, nullptr, client.put_void());
  if (SUCCEEDED(result)) {
    const WAVEFORMATEXTENSIBLE wanted = float_format(48000, 2);
    result = client->Initialize(
        AUDCLNT_SHAREMODE_SHARED,
        AUDCLNT_STREAMFLAGS_AUTOCONVERTPCM | AUDCLNT_STREAMFLAGS_SRC_DEFAULT_QUALITY, kBufferTime,
        0, &wanted.Format, nullptr);
  }
  if (SUCCEEDED(result)) return;
  const std::optional<InputRefusal> refusal = input_refusal(result);
  format.refusal = failure_text(refusal ? refusal->why : "it cannot be opened", result);
  if (refusal) format.remedy = refusal->remedy;
}

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
    if (input) try_input(*device.get(), format);
    formats.push_back(format);
  }
  return formats;
}

}  // namespace

std::vector<EndpointFormat> default_endpoint_formats(std::chrono::milliseconds timeout) {
  // The caller's thread may be in an apartment of another kind.
  std::packaged_task<std::vector<EndpointFormat>()> task(read_formats);
  std::future<std::vector<EndpointFormat>> formats = task.get_future();
  std::thread thread(std::move(task));
  if (formats.wait_for(timeout) != std::future_status::ready) {
    thread.detach();  // it ends when the audio service lets it
    throw Failure(ErrorKind::backend_unavailable,
                  "Windows' audio service does not tell the format of a device");
  }
  thread.join();
  return formats.get();
}

}  // namespace pypac
