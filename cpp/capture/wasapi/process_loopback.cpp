// SPDX-License-Identifier: MIT
#include "capture/wasapi/process_loopback.hpp"

#include <new>

namespace pypac {
namespace {

constexpr const wchar_t* kProcessLoopbackDevice = L"VAD\\Process_Loopback";

// Windows knows the blob by its size.
static_assert(sizeof(AUDIOCLIENT_ACTIVATION_PARAMS) == 12);

}  // namespace

ProcessLoopbackActivation::ProcessLoopbackActivation(std::uint32_t process_id,
                                                     bool exclude) noexcept
    : completed_(CreateEventW(nullptr, TRUE, FALSE, nullptr)) {
  parameters_.ActivationType = AUDIOCLIENT_ACTIVATION_TYPE_PROCESS_LOOPBACK;
  parameters_.ProcessLoopbackParams.TargetProcessId = process_id;
  parameters_.ProcessLoopbackParams.ProcessLoopbackMode =
      exclude ? PROCESS_LOOPBACK_MODE_EXCLUDE_TARGET_PROCESS_TREE
              : PROCESS_LOOPBACK_MODE_INCLUDE_TARGET_PROCESS_TREE;
  variant_.vt = VT_BLOB;
  variant_.blob.cbSize = sizeof(parameters_);
  variant_.blob.pBlobData = reinterpret_cast<BYTE*>(&parameters_);
}

HRESULT ProcessLoopbackActivation::begin(std::uint32_t process_id, bool exclude,
                                         ComPtr<ProcessLoopbackActivation>& activation) noexcept {
  *activation.put() = new (std::nothrow) ProcessLoopbackActivation(process_id, exclude);
  if (!activation || !activation->completed_) return E_OUTOFMEMORY;
  return ActivateAudioInterfaceAsync(
      kProcessLoopbackDevice, __uuidof(IAudioClient), &activation->variant_,
      static_cast<IActivateAudioInterfaceCompletionHandler*>(activation.get()),
      activation->operation_.put());
}

HRESULT ProcessLoopbackActivation::take(ComPtr<IAudioClient>& client) noexcept {
  operation_.reset();
  if (phase_.load() != Phase::completed) return E_PENDING;
  ComPtr<IUnknown> activated = std::move(activated_);
  if (FAILED(result_)) return result_;
  client = activated.as<IAudioClient>();
  return client ? S_OK : E_NOINTERFACE;
}

void ProcessLoopbackActivation::abandon() noexcept {
  operation_.reset();
  Phase phase = Phase::pending;
  if (phase_.compare_exchange_strong(phase, Phase::abandoned)) {
    // Windows may hold this object for good, and each attempt makes another.
    completed_.reset();
  } else if (phase == Phase::completed) {
    activated_.reset();
  }
  // What is being completed right now goes with this object: Windows lets go of it next.
}

HRESULT ProcessLoopbackActivation::ActivateCompleted(
    IActivateAudioInterfaceAsyncOperation* operation) noexcept {
  // On whichever thread Windows likes, perhaps before the call that began it has returned.
  HRESULT result = E_UNEXPECTED;
  ComPtr<IUnknown> activated;
  const HRESULT asked =
      operation ? operation->GetActivateResult(&result, activated.put()) : E_POINTER;
  Phase phase = Phase::pending;
  if (!phase_.compare_exchange_strong(phase, Phase::completing)) return S_OK;
  result_ = FAILED(asked) ? asked : result;
  if (SUCCEEDED(result_) && !activated) result_ = E_NOINTERFACE;
  activated_ = std::move(activated);
  phase_.store(Phase::completed);
  SetEvent(completed_.get());
  return S_OK;
}

HRESULT ProcessLoopbackActivation::QueryInterface(REFIID id, void** object) noexcept {
  if (!object) return E_POINTER;
  *object = nullptr;
  if (IsEqualIID(id, __uuidof(IUnknown)) ||
      IsEqualIID(id, __uuidof(IActivateAudioInterfaceCompletionHandler))) {
    *object = static_cast<IActivateAudioInterfaceCompletionHandler*>(this);
  } else if (IsEqualIID(id, __uuidof(IAgileObject))) {
    // Without it Windows refuses the handler: it may be called from any apartment.
    *object = static_cast<IAgileObject*>(this);
  } else {
    return E_NOINTERFACE;
  }
  AddRef();
  return S_OK;
}

ULONG ProcessLoopbackActivation::AddRef() noexcept {
  return references_.fetch_add(1) + 1;
}

ULONG ProcessLoopbackActivation::Release() noexcept {
  const ULONG left = references_.fetch_sub(1) - 1;
  if (left == 0) delete this;
  return left;
}

}  // namespace pypac
