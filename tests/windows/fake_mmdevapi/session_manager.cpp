// SPDX-License-Identifier: MIT
#include "session_manager.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "com_object.hpp"
#include "engine.hpp"
#include "report.hpp"
#include "session_state.hpp"
#include "stream.hpp"

namespace fake {
namespace {

constexpr HRESULT kNotFound = static_cast<HRESULT>(0x80070490);
// audclient.h of older headers lacks it.
constexpr HRESULT kNoSingleProcess = static_cast<HRESULT>(0x0889000d);
constexpr UINT kChannels = 2;

HRESULT copy_text(const std::wstring& text, LPWSTR* out) {
  if (!out) return E_POINTER;
  const std::size_t bytes = (text.size() + 1) * sizeof(wchar_t);
  *out = static_cast<LPWSTR>(CoTaskMemAlloc(bytes));
  if (!*out) return E_OUTOFMEMORY;
  CopyMemory(*out, text.c_str(), bytes);
  return S_OK;
}

class SessionControl final
    : public ComObject<IAudioSessionControl2, ISimpleAudioVolume, IAudioMeterInformation> {
 public:
  SessionControl(std::shared_ptr<SessionState> state, std::shared_ptr<Life> managers_life)
      : ComObject("IAudioSessionControl2"),
        state_(std::move(state)),
        life_(std::move(managers_life)) {}

  HRESULT STDMETHODCALLTYPE GetState(AudioSessionState* state) override {
    if (!state) return E_POINTER;
    if (const HRESULT result = called("IAudioSessionControl::GetState"); FAILED(result)) {
      return result;
    }
    *state = state_->look().state;
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetDisplayName(LPWSTR* out) override {
    return copy_text(state_->look().display_name, out);
  }
  HRESULT STDMETHODCALLTYPE SetDisplayName(LPCWSTR, LPCGUID) override { return E_NOTIMPL; }
  HRESULT STDMETHODCALLTYPE GetIconPath(LPWSTR* out) override { return copy_text(L"", out); }
  HRESULT STDMETHODCALLTYPE SetIconPath(LPCWSTR, LPCGUID) override { return E_NOTIMPL; }
  HRESULT STDMETHODCALLTYPE GetGroupingParam(GUID* out) override {
    if (!out) return E_POINTER;
    *out = GUID_NULL;
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE SetGroupingParam(LPCGUID, LPCGUID) override { return E_NOTIMPL; }
  HRESULT STDMETHODCALLTYPE RegisterAudioSessionNotification(IAudioSessionEvents* events) override {
    constexpr const char* kWhere = "IAudioSessionControl::RegisterAudioSessionNotification";
    report().count(kWhere);
    if (!events) return E_POINTER;
    check_not_in_callback(kWhere);
    state_->listen(events);
    ++registered_;
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE
  UnregisterAudioSessionNotification(IAudioSessionEvents* events) override {
    constexpr const char* kWhere = "IAudioSessionControl::UnregisterAudioSessionNotification";
    report().count(kWhere);
    if (!events) return E_POINTER;
    check_not_in_callback(kWhere);
    if (!state_->unlisten(events)) return kNotFound;
    --registered_;
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetSessionIdentifier(LPWSTR* out) override {
    return copy_text(wide(state_->identifier), out);
  }
  HRESULT STDMETHODCALLTYPE GetSessionInstanceIdentifier(LPWSTR* out) override {
    return copy_text(wide(state_->instance_identifier), out);
  }
  HRESULT STDMETHODCALLTYPE GetProcessId(DWORD* pid) override {
    if (!pid) return E_POINTER;
    if (const HRESULT result = called("IAudioSessionControl2::GetProcessId"); FAILED(result)) {
      return result;
    }
    *pid = state_->process.pid;
    return state_->shared ? kNoSingleProcess : S_OK;
  }
  HRESULT STDMETHODCALLTYPE IsSystemSoundsSession() override {
    return state_->is_system_sounds() ? S_OK : S_FALSE;
  }
  HRESULT STDMETHODCALLTYPE SetDuckingPreference(BOOL) override { return S_OK; }

  HRESULT STDMETHODCALLTYPE SetMasterVolume(float level, LPCGUID context) override {
    if (level < 0 || level > 1) return E_INVALIDARG;
    state_->set_volume(level, context ? *context : GUID_NULL);
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetMasterVolume(float* level) override {
    if (!level) return E_POINTER;
    if (const HRESULT result = life_->died_of(); FAILED(result)) return result;
    *level = state_->look().volume;
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE SetMute(BOOL mute, LPCGUID context) override {
    state_->set_mute(mute != FALSE, context ? *context : GUID_NULL);
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetMute(BOOL* mute) override {
    if (!mute) return E_POINTER;
    if (const HRESULT result = life_->died_of(); FAILED(result)) return result;
    *mute = state_->look().mute ? TRUE : FALSE;
    return S_OK;
  }

  HRESULT STDMETHODCALLTYPE GetPeakValue(float* peak) override {
    if (!peak) return E_POINTER;
    if (const HRESULT result = life_->died_of(); FAILED(result)) return result;
    const SessionState::Look look = state_->look();
    *peak = look.state == AudioSessionStateActive ? look.peak : 0.0F;
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetMeteringChannelCount(UINT* channels) override {
    if (!channels) return E_POINTER;
    if (const HRESULT result = life_->died_of(); FAILED(result)) return result;
    *channels = state_->look().state == AudioSessionStateActive ? kChannels : 0;
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetChannelsPeakValues(UINT32 channels, float* peaks) override {
    if (!peaks) return E_POINTER;
    const SessionState::Look look = state_->look();
    if (look.state != AudioSessionStateActive || channels != kChannels) return E_INVALIDARG;
    std::fill_n(peaks, channels, look.peak);
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE QueryHardwareSupport(DWORD* mask) override {
    if (!mask) return E_POINTER;
    *mask = 0;
    return S_OK;
  }

 protected:
  void* other_interface(REFIID iid) override {
    if (iid != __uuidof(IAudioSessionControl)) return nullptr;
    return static_cast<IAudioSessionControl2*>(this);
  }
  void released() override {
    if (registered_ > 0) {
      report().violation("registered-at-release", "IAudioSessionControl::Release",
                         state_->process.name + ": IAudioSessionEvents are still registered");
    }
  }

 private:
  HRESULT called(const char* method) { return life_->called(state_->process.name, method); }

  const std::shared_ptr<SessionState> state_;
  const std::shared_ptr<Life> life_;  // its manager's
  std::atomic<int> registered_{0};
};

class SessionEnumerator final : public ComObject<IAudioSessionEnumerator> {
 public:
  SessionEnumerator(std::vector<std::shared_ptr<SessionState>> sessions,
                    std::shared_ptr<std::atomic<bool>> counted, std::shared_ptr<Life> managers_life)
      : ComObject("IAudioSessionEnumerator"),
        sessions_(std::move(sessions)),
        counted_(std::move(counted)),
        life_(std::move(managers_life)) {}
  HRESULT STDMETHODCALLTYPE GetCount(int* count) override {
    report().count("IAudioSessionEnumerator::GetCount");
    if (!count) return E_POINTER;
    *count = static_cast<int>(sessions_.size());
    *counted_ = true;
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetSession(int index, IAudioSessionControl** out) override {
    if (!out) return E_POINTER;
    *out = nullptr;
    if (index < 0 || static_cast<std::size_t>(index) >= sessions_.size()) return E_INVALIDARG;
    *out = static_cast<IAudioSessionControl2*>(
        new SessionControl(sessions_[static_cast<std::size_t>(index)], life_));
    return S_OK;
  }

 private:
  const std::vector<std::shared_ptr<SessionState>> sessions_;
  const std::shared_ptr<std::atomic<bool>> counted_;
  const std::shared_ptr<Life> life_;
};

/// Who has registered for new sessions of an endpoint.
class SessionNotifier final : public Watcher, public std::enable_shared_from_this<SessionNotifier> {
 public:
  explicit SessionNotifier(std::string endpoint) : endpoint_(std::move(endpoint)) {}

  const std::shared_ptr<std::atomic<bool>> counted = std::make_shared<std::atomic<bool>>(false);
  const std::shared_ptr<Life> life = std::make_shared<Life>();  // of its manager

  void add(IAudioSessionNotification* client) {
    const std::lock_guard lock(mutex_);
    clients_.push_back(ComPointer<IAudioSessionNotification>::share(client));
  }
  bool remove(IAudioSessionNotification* client) {
    ComPointer<IAudioSessionNotification> removed;  // released without the lock
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(clients_.begin(), clients_.end(),
                                    [&](const auto& one) { return one.get() == client; });
    if (found == clients_.end()) return false;
    removed = std::move(*found);
    clients_.erase(found);
    return true;
  }
  [[nodiscard]] std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return clients_.size();
  }

  void session_created(const std::shared_ptr<SessionState>& session) override {
    // Windows throws them away until the sessions that were there have been counted.
    if (session->endpoint != endpoint_ || !*counted || life->died_of() != S_OK) return;
    engine().notify([self = shared_from_this(), session] {
      std::vector<ComPointer<IAudioSessionNotification>> clients;
      {
        const std::lock_guard lock(self->mutex_);
        clients = self->clients_;
      }
      for (const auto& client : clients) {
        const ComPointer<IAudioSessionControl2> control(new SessionControl(session, self->life));
        client->OnSessionCreated(control.get());
      }
    });
  }

 private:
  const std::string endpoint_;
  mutable std::mutex mutex_;
  std::vector<ComPointer<IAudioSessionNotification>> clients_;
};

class SessionManager final : public ComObject<IAudioSessionManager2> {
 public:
  explicit SessionManager(std::string endpoint)
      : ComObject("IAudioSessionManager2"),
        endpoint_(std::move(endpoint)),
        notifier_(std::make_shared<SessionNotifier>(endpoint_)) {
    engine().watch(notifier_.get());
  }

  HRESULT STDMETHODCALLTYPE GetAudioSessionControl(LPCGUID, DWORD,
                                                   IAudioSessionControl**) override {
    return E_NOTIMPL;
  }
  HRESULT STDMETHODCALLTYPE GetSimpleAudioVolume(LPCGUID, DWORD, ISimpleAudioVolume**) override {
    return E_NOTIMPL;
  }
  HRESULT STDMETHODCALLTYPE GetSessionEnumerator(IAudioSessionEnumerator** out) override {
    constexpr const char* kWhere = "IAudioSessionManager2::GetSessionEnumerator";
    if (!out) return E_POINTER;
    *out = nullptr;
    check_apartment(kWhere);
    if (const HRESULT result = notifier_->life->called(endpoint_, kWhere); FAILED(result)) {
      return result;
    }
    *out = new SessionEnumerator(engine().sessions(endpoint_), notifier_->counted, notifier_->life);
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE
  RegisterSessionNotification(IAudioSessionNotification* client) override {
    constexpr const char* kWhere = "IAudioSessionManager2::RegisterSessionNotification";
    if (!client) return E_POINTER;
    check_apartment(kWhere);
    check_not_in_callback(kWhere);
    if (const HRESULT result = notifier_->life->called(endpoint_, kWhere); FAILED(result)) {
      return result;
    }
    notifier_->add(client);
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE
  UnregisterSessionNotification(IAudioSessionNotification* client) override {
    constexpr const char* kWhere = "IAudioSessionManager2::UnregisterSessionNotification";
    report().count(kWhere);
    if (!client) return E_POINTER;
    check_not_in_callback(kWhere);
    return notifier_->remove(client) ? S_OK : kNotFound;
  }
  HRESULT STDMETHODCALLTYPE RegisterDuckNotification(LPCWSTR,
                                                     IAudioVolumeDuckNotification*) override {
    return E_NOTIMPL;
  }
  HRESULT STDMETHODCALLTYPE UnregisterDuckNotification(IAudioVolumeDuckNotification*) override {
    return E_NOTIMPL;
  }

 protected:
  void* other_interface(REFIID iid) override {
    if (iid != __uuidof(IAudioSessionManager)) return nullptr;
    return static_cast<IAudioSessionManager2*>(this);
  }
  void released() override {
    engine().unwatch(notifier_.get());
    if (notifier_->count() > 0) {
      report().violation("registered-at-release", "IAudioSessionManager2::Release",
                         "an IAudioSessionNotification is still registered");
    }
  }

 private:
  const std::string endpoint_;
  const std::shared_ptr<SessionNotifier> notifier_;
};

class EndpointMeter final : public ComObject<IAudioMeterInformation> {
 public:
  explicit EndpointMeter(EndpointRule endpoint)
      : ComObject("IAudioMeterInformation"), endpoint_(std::move(endpoint)) {}
  HRESULT STDMETHODCALLTYPE GetPeakValue(float* peak) override {
    if (!peak) return E_POINTER;
    *peak = 0;
    if (endpoint_.capture) {
      if (endpoint_.content == "tone") *peak = static_cast<float>(endpoint_.level);
      return S_OK;
    }
    for (const auto& session : engine().sessions(endpoint_.id)) {
      const SessionState::Look look = session->look();
      if (!look.mute) *peak = std::max(*peak, look.peak * look.volume);
    }
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetMeteringChannelCount(UINT* channels) override {
    if (!channels) return E_POINTER;
    *channels = endpoint_.channels;
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetChannelsPeakValues(UINT32 channels, float* peaks) override {
    if (!peaks) return E_POINTER;
    if (channels != endpoint_.channels) return E_INVALIDARG;
    float peak = 0;
    GetPeakValue(&peak);
    std::fill_n(peaks, channels, peak);
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE QueryHardwareSupport(DWORD* mask) override {
    if (!mask) return E_POINTER;
    *mask = 0;
    return S_OK;
  }

 private:
  const EndpointRule endpoint_;
};

}  // namespace

void check_not_in_callback(const char* where) {
  if (engine().in_notification()) {
    report().violation("registration-in-callback", where, "inside a callback");
  }
}

IAudioSessionManager2* make_session_manager(std::string endpoint) {
  return new SessionManager(std::move(endpoint));
}

IAudioMeterInformation* make_endpoint_meter(EndpointRule endpoint) {
  return new EndpointMeter(std::move(endpoint));
}

}  // namespace fake
