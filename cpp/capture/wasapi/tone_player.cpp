// SPDX-License-Identifier: MIT
#include "capture/wasapi/tone_player.hpp"

#include <audioclient.h>
#include <mmdeviceapi.h>
#include <windows.h>

#include <cmath>
#include <cstdint>
#include <future>
#include <numbers>
#include <thread>
#include <utility>

#include "capture/wasapi/com.hpp"
#include "capture/wasapi/device_enumerator.hpp"
#include "capture/wasapi/float_format.hpp"
#include "capture/wasapi/windows_version.hpp"
#include "core/status.hpp"
#include "os/windows/handle.hpp"

namespace pypac {
namespace {

constexpr std::uint32_t kRate = 48000;
constexpr std::uint32_t kChannels = 2;
constexpr double kHertz = 440;
constexpr REFERENCE_TIME kBufferTime = 200 * 10'000LL;  // 200 ms
constexpr DWORD kRefillTime = 20;                       // ms

/// What starting the stream gave.
struct Started {
  const char* step = "";
  HRESULT result = S_OK;
};

/// The COM objects of a stream, released in the order that Windows wants.
struct OpenStream {
  ComPtr<IAudioClient> client;
  ComPtr<IAudioRenderClient> render;
  bool started = false;

  ~OpenStream() {
    if (started) client->Stop();
    render.reset();
    client.reset();
  }
};

}  // namespace

class TonePlayer::Stream {
 public:
  explicit Stream(float amplitude) : amplitude_(amplitude) {
    std::promise<Started> promise;
    std::future<Started> future = promise.get_future();
    thread_ = std::thread([this, promise = std::move(promise)]() mutable { run(promise); });
    const Started started = future.get();
    if (SUCCEEDED(started.result)) return;
    thread_.join();
    throw Failure(ErrorKind::backend_unavailable, failure_text(started.step, started.result),
                  "Connect a sound device, or choose one in Windows' sound settings.",
                  started.result);
  }
  ~Stream() { stop(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void stop() noexcept {
    if (!thread_.joinable()) return;
    SetEvent(stop_event_.get());
    thread_.join();
  }

 private:
  void run(std::promise<Started>& promise) {
    const ScopedApartment apartment;
    OpenStream stream;
    const Started started = open(apartment, stream);
    promise.set_value(started);
    if (FAILED(started.result)) return;
    while (WaitForSingleObject(stop_event_.get(), kRefillTime) == WAIT_TIMEOUT) {
      if (FAILED(refill(stream))) return;
    }
  }

  Started open(const ScopedApartment& apartment, OpenStream& stream) {
    if (!stop_event_) return {"Windows gives no event", HRESULT_FROM_WIN32(GetLastError())};
    Started now{"COM cannot be initialised", apartment.result()};
    if (FAILED(now.result)) return now;
    now.step = "there is no default output";
    ComPtr<IMMDeviceEnumerator> devices;
    now.result = open_devices(devices);
    if (FAILED(now.result)) return now;
    ComPtr<IMMDevice> device;
    now.result = devices->GetDefaultAudioEndpoint(eRender, eConsole, device.put());
    if (FAILED(now.result)) return now;
    now.step = "the default output cannot be activated";
    now.result =
        device->Activate(__uuidof(IAudioClient), CLSCTX_ALL, nullptr, stream.client.put_void());
    if (FAILED(now.result)) return now;
    now.step = "the default output cannot be initialised";
    const WAVEFORMATEXTENSIBLE format = float_format(kRate, kChannels);
    now.result = stream.client->Initialize(
        AUDCLNT_SHAREMODE_SHARED,
        AUDCLNT_STREAMFLAGS_AUTOCONVERTPCM | AUDCLNT_STREAMFLAGS_SRC_DEFAULT_QUALITY, kBufferTime,
        0, &format.Format, nullptr);
    if (FAILED(now.result)) return now;
    now.result = stream.client->GetBufferSize(&capacity_);
    if (FAILED(now.result)) return now;
    now.step = "the default output takes no frames";
    now.result = stream.client->GetService(__uuidof(IAudioRenderClient), stream.render.put_void());
    if (FAILED(now.result)) return now;
    now.result = refill(stream);
    if (FAILED(now.result)) return now;
    now.step = "the default output cannot be started";
    now.result = stream.client->Start();
    stream.started = SUCCEEDED(now.result);
    return now;
  }

  HRESULT refill(const OpenStream& stream) {
    UINT32 waiting = 0;
    HRESULT result = stream.client->GetCurrentPadding(&waiting);
    if (FAILED(result) || waiting >= capacity_) return result;
    const UINT32 frames = capacity_ - waiting;
    BYTE* data = nullptr;
    result = stream.render->GetBuffer(frames, &data);
    if (FAILED(result)) return result;
    auto* const samples = reinterpret_cast<float*>(data);
    for (UINT32 i = 0; i < frames; ++i, ++position_) {
      const double turns = kHertz * static_cast<double>(position_) / kRate;
      const double value = amplitude_ * std::sin(2 * std::numbers::pi * turns);
      const float sample = amplitude_ > 0 ? static_cast<float>(value) : 0.0F;  // never -0.0
      for (UINT32 channel = 0; channel < kChannels; ++channel)
        samples[i * kChannels + channel] = sample;
    }
    // Zeros are not called silent: a program whose sound pauses does not do that either.
    return stream.render->ReleaseBuffer(frames, 0);
  }

  const float amplitude_;
  const Handle stop_event_{CreateEventW(nullptr, TRUE, FALSE, nullptr)};
  std::thread thread_;
  // The thread's.
  UINT32 capacity_ = 0;
  std::uint64_t position_ = 0;
};

TonePlayer::TonePlayer(float amplitude) : stream_(std::make_unique<Stream>(amplitude)) {}
TonePlayer::~TonePlayer() = default;
void TonePlayer::stop() noexcept {
  stream_->stop();
}

}  // namespace pypac
