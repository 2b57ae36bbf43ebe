// SPDX-License-Identifier: MIT
#include "capture/wasapi/audio_sessions.hpp"

#include <audioclient.h>
#include <audiopolicy.h>
#include <mmdeviceapi.h>
#include <windows.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <new>
#include <utility>

#include "capture/wasapi/audio_meter.hpp"
#include "capture/wasapi/com.hpp"
#include "capture/wasapi/device_enumerator.hpp"
#include "capture/wasapi/float_format.hpp"
#include "core/host_clock.hpp"

namespace pypac {
namespace {

constexpr float kLoud = 1e-3F;  // -60 dBFS

// PKEY_Device_FriendlyName, without a library that only holds GUIDs.
constexpr PROPERTYKEY kFriendlyName{
    {0xa45c254e, 0xdf1c, 0x4efd, {0x80, 0x20, 0x67, 0xd1, 0x46, 0xa8, 0x50, 0xe0}}, 14};

// PKEY_AudioEngine_DeviceFormat, likewise.
constexpr PROPERTYKEY kDeviceFormat{
    {0xf19f064d, 0x082c, 0x4e27, {0xbc, 0x73, 0x68, 0x82, 0xa1, 0xbb, 0x8e, 0x4c}}, 0};

std::string utf8(const wchar_t* text) {
  if (!text || !*text) return {};
  const int length = WideCharToMultiByte(CP_UTF8, 0, text, -1, nullptr, 0, nullptr, nullptr);
  if (length <= 1) return {};
  std::string result(static_cast<std::size_t>(length), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text, -1, result.data(), length, nullptr, nullptr);
  result.pop_back();
  return result;
}

/// Text that COM allocated.
class ScopedText {
 public:
  ScopedText() = default;
  ~ScopedText() { CoTaskMemFree(text_); }
  ScopedText(const ScopedText&) = delete;
  ScopedText& operator=(const ScopedText&) = delete;

  [[nodiscard]] wchar_t** put() noexcept { return &text_; }
  [[nodiscard]] const wchar_t* get() const noexcept { return text_; }

 private:
  wchar_t* text_ = nullptr;
};

std::wstring id_of(IMMDevice& device) {
  ScopedText id;
  if (FAILED(device.GetId(id.put())) || !id.get()) return {};
  return id.get();
}

std::string friendly_name_of(IMMDevice& device) {
  ComPtr<IPropertyStore> store;
  if (FAILED(device.OpenPropertyStore(STGM_READ, store.put()))) return {};
  PROPVARIANT value{};
  std::string name;
  if (SUCCEEDED(store->GetValue(kFriendlyName, &value))) {
    if (value.vt == VT_LPWSTR) name = utf8(value.pwszVal);
    PropVariantClear(&value);
  }
  return name;
}

/// How many channels an input has, and whether they have places.
void read_channels(IMMDevice& device, AudioInput& input) {
  ComPtr<IPropertyStore> store;
  if (FAILED(device.OpenPropertyStore(STGM_READ, store.put()))) return;
  PROPVARIANT value{};
  if (FAILED(store->GetValue(kDeviceFormat, &value))) return;
  if (value.vt == VT_BLOB && value.blob.cbSize >= sizeof(WAVEFORMATEX)) {
    const auto* const format = reinterpret_cast<const WAVEFORMATEX*>(value.blob.pBlobData);
    input.channels = format->nChannels;
    if (format->wFormatTag == WAVE_FORMAT_EXTENSIBLE &&
        value.blob.cbSize >= sizeof(WAVEFORMATEXTENSIBLE)) {
      input.placed = reinterpret_cast<const WAVEFORMATEXTENSIBLE*>(format)->dwChannelMask != 0;
    }
  }
  PropVariantClear(&value);
}

/// Hears all that Windows tells, on any thread of Windows', and only sets an event: registering,
/// unregistering or asking from within a callback can hang.
class ChangeListener final : public IMMNotificationClient,
                             public IAudioSessionNotification,
                             public IAudioSessionEvents {
 public:
  explicit ChangeListener(HANDLE changed) noexcept : changed_(changed) {}

  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID id, void** object) noexcept override {
    if (!object) return E_POINTER;
    *object = nullptr;
    if (IsEqualIID(id, __uuidof(IUnknown)) || IsEqualIID(id, __uuidof(IMMNotificationClient))) {
      *object = static_cast<IMMNotificationClient*>(this);
    } else if (IsEqualIID(id, __uuidof(IAudioSessionNotification))) {
      *object = static_cast<IAudioSessionNotification*>(this);
    } else if (IsEqualIID(id, __uuidof(IAudioSessionEvents))) {
      *object = static_cast<IAudioSessionEvents*>(this);
    } else {
      return E_NOINTERFACE;
    }
    AddRef();
    return S_OK;
  }
  ULONG STDMETHODCALLTYPE AddRef() noexcept override { return references_.fetch_add(1) + 1; }
  ULONG STDMETHODCALLTYPE Release() noexcept override {
    const ULONG left = references_.fetch_sub(1) - 1;
    if (left == 0) delete this;
    return left;
  }

  /// Its event is about to go; Windows may call for a while yet.
  void forget_event() noexcept {
    AcquireSRWLockExclusive(&lock_);
    changed_ = nullptr;
    ReleaseSRWLockExclusive(&lock_);
  }

  // Endpoints.
  HRESULT STDMETHODCALLTYPE OnDeviceStateChanged(LPCWSTR, DWORD) noexcept override {
    return tell();
  }
  HRESULT STDMETHODCALLTYPE OnDeviceAdded(LPCWSTR) noexcept override { return tell(); }
  HRESULT STDMETHODCALLTYPE OnDeviceRemoved(LPCWSTR) noexcept override { return tell(); }
  HRESULT STDMETHODCALLTYPE OnDefaultDeviceChanged(EDataFlow, ERole, LPCWSTR) noexcept override {
    return tell();
  }
  HRESULT STDMETHODCALLTYPE OnPropertyValueChanged(LPCWSTR, const PROPERTYKEY) noexcept override {
    return S_OK;  // names hardly ever change, and these come in floods
  }

  // Sessions.
  HRESULT STDMETHODCALLTYPE OnSessionCreated(IAudioSessionControl*) noexcept override {
    return tell();
  }
  HRESULT STDMETHODCALLTYPE OnDisplayNameChanged(LPCWSTR, LPCGUID) noexcept override {
    return tell();
  }
  HRESULT STDMETHODCALLTYPE OnIconPathChanged(LPCWSTR, LPCGUID) noexcept override { return S_OK; }
  HRESULT STDMETHODCALLTYPE OnSimpleVolumeChanged(float, BOOL, LPCGUID) noexcept override {
    return tell();
  }
  HRESULT STDMETHODCALLTYPE OnChannelVolumeChanged(DWORD, float*, DWORD,
                                                   LPCGUID) noexcept override {
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE OnGroupingParamChanged(LPCGUID, LPCGUID) noexcept override {
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE OnStateChanged(AudioSessionState) noexcept override { return tell(); }
  HRESULT STDMETHODCALLTYPE OnSessionDisconnected(AudioSessionDisconnectReason) noexcept override {
    return tell();
  }

 private:
  virtual ~ChangeListener() = default;

  HRESULT tell() noexcept {
    AcquireSRWLockShared(&lock_);
    if (changed_) SetEvent(changed_);
    ReleaseSRWLockShared(&lock_);
    return S_OK;
  }

  std::atomic<ULONG> references_{1};
  SRWLOCK lock_ = SRWLOCK_INIT;
  HANDLE changed_;
};

}  // namespace

class AudioSessions::Watch {
 public:
  explicit Watch(HANDLE changed) { *listener_.put() = new ChangeListener(changed); }
  ~Watch() {
    close();
    listener_->forget_event();
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  bool refresh();
  void read();
  void take_peaks() noexcept;

  std::vector<AudioSession> sessions;
  std::vector<AudioInput> inputs;
  std::string default_output;
  std::string default_input;
  HRESULT error = S_OK;

 private:
  struct Session {
    std::uint64_t serial = 0;
    ComPtr<IAudioSessionControl2> control;
    ComPtr<ISimpleAudioVolume> volume;
    ComPtr<IAudioMeterInformation> meter;
    bool listened = false;
    bool seen = false;  // in the enumeration that is going on
    std::int64_t pid = 0;
    std::string name;
    float peak = 0;
    bool metered = false;
    HostTime last_loud{};
  };
  struct Endpoint {
    ComPtr<IAudioSessionManager2> manager;
    std::string name;
    bool listened = false;
    bool seen = false;
    std::map<std::wstring, Session> sessions;  // by session instance id
  };

  HRESULT open();
  void close() noexcept;
  HRESULT refresh_endpoints();
  void refresh_sessions(Endpoint& endpoint);
  void refresh_inputs();
  void close_session(Session& session) noexcept;
  void close_endpoint(Endpoint& endpoint) noexcept;
  [[nodiscard]] ComPtr<IMMDevice> default_device(EDataFlow flow) const;

  ComPtr<ChangeListener> listener_;
  ComPtr<IMMDeviceEnumerator> devices_;
  bool listened_ = false;
  std::map<std::wstring, Endpoint> endpoints_;  // by endpoint id
  std::map<std::wstring, std::uint64_t> input_serials_;
  std::uint64_t newest_serial_ = 0;
};

HRESULT AudioSessions::Watch::open() {
  if (devices_) return S_OK;
  const HRESULT result = open_devices(devices_);
  if (FAILED(result)) return result;
  listened_ = SUCCEEDED(devices_->RegisterEndpointNotificationCallback(listener_.get()));
  return S_OK;
}

void AudioSessions::Watch::close_session(Session& session) noexcept {
  if (session.listened) session.control->UnregisterAudioSessionNotification(listener_.get());
  session.listened = false;
}

void AudioSessions::Watch::close_endpoint(Endpoint& endpoint) noexcept {
  for (auto& [id, session] : endpoint.sessions) close_session(session);
  endpoint.sessions.clear();
  if (endpoint.listened) endpoint.manager->UnregisterSessionNotification(listener_.get());
  endpoint.listened = false;
}

void AudioSessions::Watch::close() noexcept {
  for (auto& [id, endpoint] : endpoints_) close_endpoint(endpoint);
  endpoints_.clear();
  if (listened_) devices_->UnregisterEndpointNotificationCallback(listener_.get());
  listened_ = false;
  devices_.reset();
}

ComPtr<IMMDevice> AudioSessions::Watch::default_device(EDataFlow flow) const {
  ComPtr<IMMDevice> device;
  if (FAILED(devices_->GetDefaultAudioEndpoint(flow, eConsole, device.put()))) device.reset();
  return device;
}

bool AudioSessions::Watch::refresh() {
  error = open();
  if (SUCCEEDED(error)) error = refresh_endpoints();
  if (FAILED(error)) {
    // A service that was started again knows nothing of what we had.
    close();
    sessions.clear();
    inputs.clear();
    default_output.clear();
    default_input.clear();
    return false;
  }
  refresh_inputs();
  read();
  return true;
}

HRESULT AudioSessions::Watch::refresh_endpoints() {
  ComPtr<IMMDeviceCollection> found;
  HRESULT result = devices_->EnumAudioEndpoints(eRender, DEVICE_STATE_ACTIVE, found.put());
  if (FAILED(result)) return result;
  UINT count = 0;
  result = found->GetCount(&count);
  if (FAILED(result)) return result;
  for (auto& [id, endpoint] : endpoints_) endpoint.seen = false;
  for (UINT i = 0; i < count; ++i) {
    ComPtr<IMMDevice> device;
    if (FAILED(found->Item(i, device.put()))) continue;
    Endpoint& endpoint = endpoints_[id_of(*device.get())];
    endpoint.seen = true;
    if (!endpoint.manager) {
      endpoint.name = friendly_name_of(*device.get());
      if (FAILED(device->Activate(__uuidof(IAudioSessionManager2), CLSCTX_ALL, nullptr,
                                  endpoint.manager.put_void()))) {
        endpoint.manager.reset();
        continue;
      }
      // Nothing is told before the sessions have been counted once, below.
      endpoint.listened = SUCCEEDED(endpoint.manager->RegisterSessionNotification(listener_.get()));
    }
    refresh_sessions(endpoint);
  }
  for (auto at = endpoints_.begin(); at != endpoints_.end();) {
    if (at->second.seen) {
      ++at;
      continue;
    }
    close_endpoint(at->second);
    at = endpoints_.erase(at);
  }
  const ComPtr<IMMDevice> output = default_device(eRender);
  default_output = output ? friendly_name_of(*output.get()) : std::string();
  return S_OK;
}

void AudioSessions::Watch::refresh_sessions(Endpoint& endpoint) {
  for (auto& [id, session] : endpoint.sessions) session.seen = false;
  ComPtr<IAudioSessionEnumerator> found;
  int count = 0;
  if (FAILED(endpoint.manager->GetSessionEnumerator(found.put())) ||
      FAILED(found->GetCount(&count))) {
    // One that died with the audio service or its device never answers again.
    close_endpoint(endpoint);
    endpoint.manager.reset();
    return;
  }
  for (int i = 0; i < count; ++i) {
    ComPtr<IAudioSessionControl> plain;
    if (FAILED(found->GetSession(i, plain.put()))) continue;
    ComPtr<IAudioSessionControl2> control = plain.as<IAudioSessionControl2>();
    if (!control || control->IsSystemSoundsSession() == S_OK) continue;
    AudioSessionState state = AudioSessionStateExpired;
    if (FAILED(control->GetState(&state)) || state == AudioSessionStateExpired) continue;
    ScopedText id;
    if (FAILED(control->GetSessionInstanceIdentifier(id.put())) || !id.get()) continue;
    Session& session = endpoint.sessions[id.get()];
    session.seen = true;
    if (session.control) continue;
    session.serial = ++newest_serial_;
    DWORD pid = 0;
    // AUDCLNT_S_NO_SINGLE_PROCESS is a success: several processes share it, and one is told.
    if (SUCCEEDED(control->GetProcessId(&pid))) session.pid = pid;
    ScopedText name;
    if (SUCCEEDED(control->GetDisplayName(name.put()))) session.name = utf8(name.get());
    session.volume = control.as<ISimpleAudioVolume>();
    session.meter = control.as<IAudioMeterInformation>();
    session.listened = SUCCEEDED(control->RegisterAudioSessionNotification(listener_.get()));
    session.control = std::move(control);
  }
  for (auto at = endpoint.sessions.begin(); at != endpoint.sessions.end();) {
    if (at->second.seen) {
      ++at;
      continue;
    }
    close_session(at->second);
    at = endpoint.sessions.erase(at);
  }
}

void AudioSessions::Watch::refresh_inputs() {
  inputs.clear();
  const ComPtr<IMMDevice> chosen = default_device(eCapture);
  const std::wstring default_id = chosen ? id_of(*chosen.get()) : std::wstring();
  default_input = chosen ? friendly_name_of(*chosen.get()) : std::string();
  ComPtr<IMMDeviceCollection> found;
  UINT count = 0;
  if (FAILED(devices_->EnumAudioEndpoints(eCapture, DEVICE_STATE_ACTIVE, found.put())) ||
      FAILED(found->GetCount(&count))) {
    return;
  }
  for (UINT i = 0; i < count; ++i) {
    ComPtr<IMMDevice> device;
    if (FAILED(found->Item(i, device.put()))) continue;
    AudioInput input;
    input.id = id_of(*device.get());
    input.name = friendly_name_of(*device.get());
    input.is_default = input.id == default_id;
    read_channels(*device.get(), input);
    std::uint64_t& serial = input_serials_[input.id];
    if (serial == 0) serial = ++newest_serial_;
    input.serial = serial;
    inputs.push_back(std::move(input));
  }
}

void AudioSessions::Watch::read() {
  sessions.clear();
  const HostTime time = SystemClock().now();
  for (auto& [endpoint_id, endpoint] : endpoints_) {
    for (auto& [id, session] : endpoint.sessions) {
      AudioSessionState state = AudioSessionStateExpired;
      if (FAILED(session.control->GetState(&state)) || state == AudioSessionStateExpired) continue;
      AudioSession view;
      view.serial = session.serial;
      view.pid = session.pid;
      view.name = session.name;
      view.endpoint = endpoint.name;
      view.active = state == AudioSessionStateActive;
      BOOL muted = FALSE;
      if (session.volume) {
        session.volume->GetMasterVolume(&view.volume);
        session.volume->GetMute(&muted);
      }
      view.muted = muted != FALSE;
      UINT channels = 0;
      float peak = 0;
      if (session.meter && SUCCEEDED(session.meter->GetMeteringChannelCount(&channels)) &&
          channels > 0 && SUCCEEDED(session.meter->GetPeakValue(&peak))) {
        session.peak = std::max(session.peak, peak);
        session.metered = true;
        if (peak > kLoud) session.last_loud = time;
      }
      view.channels = channels;
      view.peak = session.peak;
      view.metered = session.metered;
      view.last_loud = session.last_loud;
      sessions.push_back(std::move(view));
    }
  }
}

void AudioSessions::Watch::take_peaks() noexcept {
  for (auto& [endpoint_id, endpoint] : endpoints_) {
    for (auto& [id, session] : endpoint.sessions) {
      session.peak = 0;
      session.metered = false;
    }
  }
}

AudioSessions::AudioSessions(void* changed) : watch_(std::make_unique<Watch>(changed)) {}
AudioSessions::~AudioSessions() = default;

bool AudioSessions::refresh() {
  return watch_->refresh();
}
void AudioSessions::read() {
  watch_->read();
}
const std::vector<AudioSession>& AudioSessions::sessions() const noexcept {
  return watch_->sessions;
}
const std::vector<AudioInput>& AudioSessions::inputs() const noexcept {
  return watch_->inputs;
}
const std::string& AudioSessions::default_output() const noexcept {
  return watch_->default_output;
}
const std::string& AudioSessions::default_input() const noexcept {
  return watch_->default_input;
}
long AudioSessions::error() const noexcept {
  return watch_->error;
}
void AudioSessions::take_peaks() noexcept {
  watch_->take_peaks();
}

}  // namespace pypac
