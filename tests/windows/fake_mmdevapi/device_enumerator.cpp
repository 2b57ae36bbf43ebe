// SPDX-License-Identifier: MIT
#include "device_enumerator.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "activation.hpp"
#include "com_object.hpp"
#include "engine.hpp"
#include "report.hpp"
#include "session_manager.hpp"
#include "stream.hpp"

namespace fake {
namespace {

// Of functiondiscoverykeys_devpkey.h, which defines them only where it is told to.
constexpr PROPERTYKEY kFriendlyName{
    {0xa45c254e, 0xdf1c, 0x4efd, {0x80, 0x20, 0x67, 0xd1, 0x46, 0xa8, 0x50, 0xe0}}, 14};
constexpr PROPERTYKEY kDescription{
    {0xa45c254e, 0xdf1c, 0x4efd, {0x80, 0x20, 0x67, 0xd1, 0x46, 0xa8, 0x50, 0xe0}}, 2};

constexpr PROPERTYKEY kDeviceFormat{
    {0xf19f064d, 0x082c, 0x4e27, {0xbc, 0x73, 0x68, 0x82, 0xa1, 0xbb, 0x8e, 0x4c}}, 0};
constexpr WORD kTagExtensible = 0xfffe;
constexpr WORD kExtensibleSize = 22;

DWORD state_of(const EndpointRule& rule) {
  if (rule.state == "disabled") return DEVICE_STATE_DISABLED;
  if (rule.state == "notpresent") return DEVICE_STATE_NOTPRESENT;
  if (rule.state == "unplugged") return DEVICE_STATE_UNPLUGGED;
  return DEVICE_STATE_ACTIVE;
}

LPWSTR task_copy(std::string_view text) {
  const std::wstring whole = wide(text);
  const std::size_t bytes = (whole.size() + 1) * sizeof(wchar_t);
  auto* const copy = static_cast<LPWSTR>(CoTaskMemAlloc(bytes));
  if (copy) CopyMemory(copy, whole.c_str(), bytes);
  return copy;
}

bool is_key(REFPROPERTYKEY one, const PROPERTYKEY& two) {
  return IsEqualGUID(one.fmtid, two.fmtid) && one.pid == two.pid;
}

/// What PKEY_AudioEngine_DeviceFormat holds.
void write_format(const EndpointRule& rule, PROPVARIANT* value) {
  auto* const format =
      static_cast<WAVEFORMATEXTENSIBLE*>(CoTaskMemAlloc(sizeof(WAVEFORMATEXTENSIBLE)));
  if (!format) return;
  *format = {};
  format->Format.wFormatTag = kTagExtensible;
  format->Format.nChannels = static_cast<WORD>(rule.channels);
  format->Format.nSamplesPerSec = rule.rate;
  format->Format.wBitsPerSample = 16;
  format->Format.nBlockAlign = static_cast<WORD>(rule.channels * 2);
  format->Format.nAvgBytesPerSec = rule.rate * format->Format.nBlockAlign;
  format->Format.cbSize = kExtensibleSize;
  format->Samples.wValidBitsPerSample = 16;
  format->dwChannelMask = rule.placed ? (1U << rule.channels) - 1 : 0;
  value->vt = VT_BLOB;
  value->blob.cbSize = sizeof(WAVEFORMATEXTENSIBLE);
  value->blob.pBlobData = reinterpret_cast<BYTE*>(format);
}

class Properties final : public ComObject<IPropertyStore> {
 public:
  explicit Properties(EndpointRule rule) : ComObject("IPropertyStore"), rule_(std::move(rule)) {}
  HRESULT STDMETHODCALLTYPE GetCount(DWORD* count) override {
    if (!count) return E_POINTER;
    *count = 2;
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetAt(DWORD index, PROPERTYKEY* key) override {
    if (!key) return E_POINTER;
    if (index > 1) return E_INVALIDARG;
    *key = index == 0 ? kFriendlyName : kDescription;
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetValue(REFPROPERTYKEY key, PROPVARIANT* value) override {
    if (!value) return E_POINTER;
    PropVariantInit(value);
    if (is_key(key, kDeviceFormat)) {
      write_format(rule_, value);
      return S_OK;
    }
    if (!is_key(key, kFriendlyName) && !is_key(key, kDescription)) return S_OK;
    value->vt = VT_LPWSTR;
    value->pwszVal = task_copy(rule_.name);
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE SetValue(REFPROPERTYKEY, REFPROPVARIANT) override {
    return STG_E_ACCESSDENIED;
  }
  HRESULT STDMETHODCALLTYPE Commit() override { return S_OK; }

 private:
  const EndpointRule rule_;
};

class Device final : public ComObject<IMMDevice, IMMEndpoint> {
 public:
  explicit Device(EndpointRule rule) : ComObject("IMMDevice"), rule_(std::move(rule)) {}

  HRESULT STDMETHODCALLTYPE Activate(REFIID iid, DWORD, PROPVARIANT* parameters,
                                     void** out) override {
    constexpr const char* kWhere = "IMMDevice::Activate";
    check_apartment(kWhere);
    if (!out) return E_POINTER;
    *out = nullptr;
    if (const HRESULT result = engine().called(rule_.id, kWhere); FAILED(result)) {
      return result;
    }
    if (is_process_loopback(parameters)) {
      report().violation("parameters", kWhere, "does not take a process loopback's");
      return E_INVALIDARG;
    }
    const EndpointRule now = current_rule();
    if (now.state != "active") return AUDCLNT_E_DEVICE_INVALIDATED;
    if (iid == __uuidof(IAudioClient)) {
      Target target;
      target.kind = now.capture ? Target::Kind::capture_endpoint : Target::Kind::render_endpoint;
      target.endpoint = target.name = now.id;
      *out = make_audio_client(std::move(target), now);
      return S_OK;
    }
    if (iid == __uuidof(IAudioSessionManager2) || iid == __uuidof(IAudioSessionManager)) {
      *out = make_session_manager(now.id);
      return S_OK;
    }
    if (iid == __uuidof(IAudioMeterInformation)) {
      *out = make_endpoint_meter(now);
      return S_OK;
    }
    return E_NOINTERFACE;
  }
  HRESULT STDMETHODCALLTYPE OpenPropertyStore(DWORD access, IPropertyStore** out) override {
    if (!out) return E_POINTER;
    *out = nullptr;
    if (access != STGM_READ) return E_ACCESSDENIED;
    *out = new Properties(rule_);
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetId(LPWSTR* id) override {
    if (!id) return E_POINTER;
    *id = task_copy(rule_.id);
    return *id ? S_OK : E_OUTOFMEMORY;
  }
  HRESULT STDMETHODCALLTYPE GetState(DWORD* state) override {
    if (!state) return E_POINTER;
    *state = state_of(current_rule());
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetDataFlow(EDataFlow* flow) override {
    if (!flow) return E_POINTER;
    *flow = rule_.capture ? eCapture : eRender;
    return S_OK;
  }

 private:
  [[nodiscard]] EndpointRule current_rule() const {
    EndpointRule gone = rule_;
    gone.state = "notpresent";
    for (const EndpointRule& one : current_script().get()->endpoints) {
      if (one.id == rule_.id) return one;
    }
    return gone;
  }

  const EndpointRule rule_;
};

class Collection final : public ComObject<IMMDeviceCollection> {
 public:
  explicit Collection(std::vector<EndpointRule> rules)
      : ComObject("IMMDeviceCollection"), rules_(std::move(rules)) {}
  HRESULT STDMETHODCALLTYPE GetCount(UINT* count) override {
    if (!count) return E_POINTER;
    *count = static_cast<UINT>(rules_.size());
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE Item(UINT index, IMMDevice** out) override {
    if (!out) return E_POINTER;
    *out = nullptr;
    if (index >= rules_.size()) return E_INVALIDARG;
    *out = new Device(rules_[index]);
    return S_OK;
  }

 private:
  const std::vector<EndpointRule> rules_;
};

/// Who has registered for endpoints; outlives the enumerator while a callback runs.
class Notifier final : public EndpointWatcher, public std::enable_shared_from_this<Notifier> {
 public:
  void add(IMMNotificationClient* client) {
    const std::lock_guard lock(mutex_);
    clients_.push_back(ComPointer<IMMNotificationClient>::share(client));
  }
  bool remove(IMMNotificationClient* client) {
    ComPointer<IMMNotificationClient> removed;  // released without the lock
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

  void endpoint_state(const std::string& id, const std::string& state) override {
    EndpointRule rule;
    rule.state = state;
    tell([id, now = state_of(rule)](IMMNotificationClient& client) {
      client.OnDeviceStateChanged(wide(id).c_str(), now);
    });
  }
  void endpoint_added(const std::string& id) override {
    tell([id](IMMNotificationClient& client) { client.OnDeviceAdded(wide(id).c_str()); });
  }
  void endpoint_removed(const std::string& id) override {
    tell([id](IMMNotificationClient& client) { client.OnDeviceRemoved(wide(id).c_str()); });
  }
  void default_changed(bool capture, const std::string& id) override {
    tell([capture, id](IMMNotificationClient& client) {
      const std::wstring name = wide(id);
      for (const ERole role : {eConsole, eMultimedia, eCommunications}) {
        client.OnDefaultDeviceChanged(capture ? eCapture : eRender, role,
                                      id.empty() ? nullptr : name.c_str());
      }
    });
  }

 private:
  template <class Call>
  void tell(Call call) {
    engine().notify([self = shared_from_this(), call] {
      std::vector<ComPointer<IMMNotificationClient>> clients;
      {
        const std::lock_guard lock(self->mutex_);
        clients = self->clients_;
      }
      for (const auto& client : clients) call(*client.get());
    });
  }

  mutable std::mutex mutex_;
  std::vector<ComPointer<IMMNotificationClient>> clients_;
};

class DeviceEnumerator final : public ComObject<IMMDeviceEnumerator> {
 public:
  DeviceEnumerator() : ComObject("IMMDeviceEnumerator") { engine().watch(notifier_.get()); }

  HRESULT STDMETHODCALLTYPE EnumAudioEndpoints(EDataFlow flow, DWORD states,
                                               IMMDeviceCollection** out) override {
    if (!out) return E_POINTER;
    *out = nullptr;
    constexpr const char* kWhere = "IMMDeviceEnumerator::EnumAudioEndpoints";
    if (const HRESULT result = engine().called("*", kWhere); FAILED(result)) return result;
    std::vector<EndpointRule> rules;
    for (const EndpointRule& rule : current_script().get()->endpoints) {
      if (flow != eAll && rule.capture != (flow == eCapture)) continue;
      if (states & state_of(rule)) rules.push_back(rule);
    }
    *out = new Collection(std::move(rules));
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetDefaultAudioEndpoint(EDataFlow flow, ERole,
                                                    IMMDevice** out) override {
    if (!out) return E_POINTER;
    *out = nullptr;
    constexpr const char* kWhere = "IMMDeviceEnumerator::GetDefaultAudioEndpoint";
    if (const HRESULT result = engine().called("*", kWhere); FAILED(result)) return result;
    if (flow == eAll) return E_INVALIDARG;
    const std::shared_ptr<const Script> script = current_script().get();
    const EndpointRule* const rule = default_endpoint(*script, flow == eCapture);
    if (!rule) return kNotFound;
    *out = new Device(*rule);
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetDevice(LPCWSTR id, IMMDevice** out) override {
    if (!id || !out) return E_POINTER;
    *out = nullptr;
    constexpr const char* kWhere = "IMMDeviceEnumerator::GetDevice";
    if (const HRESULT result = engine().called("*", kWhere); FAILED(result)) return result;
    for (const EndpointRule& rule : current_script().get()->endpoints) {
      if (wide(rule.id) != id) continue;
      *out = new Device(rule);
      return S_OK;
    }
    return kNotFound;
  }
  HRESULT STDMETHODCALLTYPE
  RegisterEndpointNotificationCallback(IMMNotificationClient* client) override {
    constexpr const char* kWhere = "IMMDeviceEnumerator::RegisterEndpointNotificationCallback";
    report().count(kWhere);
    if (!client) return E_POINTER;
    check_not_in_callback(kWhere);
    notifier_->add(client);
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE
  UnregisterEndpointNotificationCallback(IMMNotificationClient* client) override {
    constexpr const char* kWhere = "IMMDeviceEnumerator::UnregisterEndpointNotificationCallback";
    report().count(kWhere);
    if (!client) return E_POINTER;
    check_not_in_callback(kWhere);
    return notifier_->remove(client) ? S_OK : kNotFound;
  }

 protected:
  void released() override {
    engine().unwatch(notifier_.get());
    if (notifier_->count() > 0) {
      report().violation("registered-at-release", "IMMDeviceEnumerator::Release",
                         "an IMMNotificationClient is still registered");
    }
    if (engine().in_notification()) {
      report().violation("release-in-callback", "IMMDeviceEnumerator::Release", "");
    }
  }

 private:
  static constexpr HRESULT kNotFound = static_cast<HRESULT>(0x80070490);
  const std::shared_ptr<Notifier> notifier_ = std::make_shared<Notifier>();
};

}  // namespace

IMMDeviceEnumerator* make_device_enumerator() {
  return new DeviceEnumerator;
}

}  // namespace fake
