// SPDX-License-Identifier: MIT
#include "activation.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "com_object.hpp"
#include "engine.hpp"
#include "report.hpp"
#include "sound.hpp"
#include "stream.hpp"

namespace fake {
namespace {

constexpr const char* kCall = "ActivateAudioInterfaceAsync";
constexpr HRESULT kIllegalMethodCall = static_cast<HRESULT>(0x8000000e);
constexpr HRESULT kFileNotFound = static_cast<HRESULT>(0x80070002);
constexpr GUID kFreeThreadedMarshaler{0x0000033a, 0x0000, 0x0000, {0xc0, 0, 0, 0, 0, 0, 0, 0x46}};
constexpr Pid kSystemPid = 4;
// Late enough for a caller that frees the parameters too early to have done so.
constexpr std::uint32_t kReadAgainMs = 15;
constexpr DWORD kBeforeReturnMs = 3000;

/// AUDIOCLIENT_ACTIVATION_PARAMS, which older headers lack.
struct Parameters {
  std::int32_t type = 0;  // 1: process loopback
  Pid pid = 0;
  std::int32_t mode = 0;  // 0: include the tree, 1: exclude it
};
static_assert(sizeof(Parameters) == 12);

bool is_agile(IUnknown* handler) {
  void* found = nullptr;
  if (SUCCEEDED(handler->QueryInterface(__uuidof(IAgileObject), &found))) {
    static_cast<IUnknown*>(found)->Release();
    return true;
  }
  if (FAILED(handler->QueryInterface(__uuidof(IMarshal), &found))) return false;
  const ComPointer<IMarshal> marshal(static_cast<IMarshal*>(found));
  CLSID who{};
  return SUCCEEDED(marshal->GetUnmarshalClass(__uuidof(IUnknown), handler, MSHCTX_INPROC, nullptr,
                                              MSHLFLAGS_NORMAL, &who)) &&
         IsEqualGUID(who, kFreeThreadedMarshaler);
}

/// The parameters at an address that may hold them no longer. False: they are not there.
bool read_parameters(const PROPVARIANT* from, Parameters& out) {
  PROPVARIANT variant{};
  SIZE_T got = 0;
  const HANDLE self = GetCurrentProcess();
  if (!ReadProcessMemory(self, from, &variant, sizeof variant, &got)) return false;
  if (variant.vt != VT_BLOB || variant.blob.cbSize != sizeof out) return false;
  return ReadProcessMemory(self, variant.blob.pBlobData, &out, sizeof out, &got) != 0;
}

class Operation final : public ComObject<IActivateAudioInterfaceAsyncOperation> {
 public:
  Operation() : ComObject("IActivateAudioInterfaceAsyncOperation") {}

  void complete(HRESULT outer, HRESULT result, ComPointer<IAudioClient> client) {
    const std::lock_guard lock(mutex_);
    outer_ = outer;
    result_ = result;
    client_ = std::move(client);
  }

  HRESULT STDMETHODCALLTYPE GetActivateResult(HRESULT* result, IUnknown** out) override {
    report().count("IActivateAudioInterfaceAsyncOperation::GetActivateResult");
    if (!result || !out) return E_POINTER;
    *out = nullptr;
    *result = S_OK;
    const std::lock_guard lock(mutex_);
    if (FAILED(outer_)) return outer_;
    *result = result_;
    if (FAILED(result_)) return S_OK;
    if (!client_) return kIllegalMethodCall;
    // Given away: nothing of the double's then ends the client, on a thread of the double's.
    ComPointer<IAudioClient> given;
    std::swap(given, client_);
    *out = given.detach();
    return S_OK;
  }

 private:
  std::mutex mutex_;
  HRESULT outer_ = kIllegalMethodCall;
  HRESULT result_ = S_OK;
  ComPointer<IAudioClient> client_;
};

struct Pending {
  ComPointer<Operation> operation;
  ComPointer<IActivateAudioInterfaceCompletionHandler> handler;
  ActivateRule rule;
  Target target;
  EndpointRule endpoint;
  const PROPVARIANT* parameters = nullptr;  // the caller's; nullptr: none were needed
  Parameters copy;
};

void complete(Pending& pending) {
  HRESULT result = pending.rule.result;
  Parameters again;
  if (pending.parameters && (!read_parameters(pending.parameters, again) ||
                             std::memcmp(&again, &pending.copy, sizeof again) != 0)) {
    report().violation("parameters-lifetime", kCall,
                       pending.target.name + ": gone before ActivateCompleted");
    result = E_INVALIDARG;
  }
  ComPointer<IAudioClient> client;
  if (SUCCEEDED(result) && SUCCEEDED(pending.rule.outer)) {
    client = ComPointer<IAudioClient>(make_audio_client(pending.target, pending.endpoint));
  }
  pending.operation->complete(pending.rule.outer, result, std::move(client));
  Line line("activated");
  line.add("target", pending.target.name).add_result("outer", pending.rule.outer);
  report().write(line.add_result("result", result));
  pending.handler->ActivateCompleted(pending.operation.get());
}

/// What is to be activated, or why it cannot be.
HRESULT resolve(const std::wstring& path, PROPVARIANT* parameters, Pending& pending) {
  if (path == L"VAD\\Process_Loopback") {
    if (!parameters || !read_parameters(parameters, pending.copy) || pending.copy.type != 1) {
      report().violation("parameters", kCall,
                         "not the 12 bytes of a process loopback in a VT_BLOB");
      return E_INVALIDARG;
    }
    const bool except = pending.copy.mode == 1;
    pending.parameters = parameters;
    pending.target = engine().process_target(pending.copy.pid, except);
    if (except && pending.copy.pid == kSystemPid) pending.target.name = "everything";
    if (pending.copy.pid == 0) {
      report().violation("parameters", kCall, "PID 0 is no process");
      return E_INVALIDARG;
    }
    return S_OK;
  }
  const std::shared_ptr<const Script> script = current_script().get();
  const auto found = std::find_if(script->endpoints.begin(), script->endpoints.end(),
                                  [&](const auto& rule) { return wide(rule.id) == path; });
  if (found == script->endpoints.end()) return kFileNotFound;
  pending.endpoint = *found;
  pending.target.kind =
      found->capture ? Target::Kind::capture_endpoint : Target::Kind::render_endpoint;
  pending.target.endpoint = pending.target.name = found->id;
  return S_OK;
}

}  // namespace

bool is_process_loopback(const PROPVARIANT* parameters) {
  Parameters found;
  return parameters && read_parameters(parameters, found) && found.type == 1;
}

HRESULT activate_async(LPCWSTR path, REFIID iid, PROPVARIANT* parameters,
                       IActivateAudioInterfaceCompletionHandler* handler,
                       IActivateAudioInterfaceAsyncOperation** operation) {
  engine().run();
  report().count(kCall);
  check_apartment(kCall);
  if (!path || !handler || !operation) return E_POINTER;
  *operation = nullptr;
  if (!is_agile(handler)) {
    report().violation("agile", kCall, "the handler is not agile");
    return kIllegalMethodCall;
  }
  if (iid != __uuidof(IAudioClient)) {
    report().violation("no-interface", kCall, "only IAudioClient can be had");
    return E_NOINTERFACE;
  }
  auto pending = std::make_shared<Pending>();
  if (const HRESULT result = resolve(path, parameters, *pending); FAILED(result)) return result;
  pending->rule = engine().activation(pending->target.name);
  Line line("activate");
  line.add("target", pending->target.name).add("pid", static_cast<std::int64_t>(pending->copy.pid));
  line.add("ms", qpc_100ns() / 10'000);
  report().write(line.add_result("call", pending->rule.call));
  if (FAILED(pending->rule.call)) return pending->rule.call;
  pending->operation = ComPointer<Operation>(new Operation);
  pending->handler = ComPointer<IActivateAudioInterfaceCompletionHandler>::share(handler);
  *operation = ComPointer<Operation>(pending->operation).detach();
  if (pending->rule.when == "never") {
    // Windows would hold the handler for as long.
    handler->AddRef();
    return S_OK;
  }
  if (pending->rule.when == "before_return") {
    const HANDLE done = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    engine().later(0, [pending, done] {
      complete(*pending);
      SetEvent(done);
    });
    if (WaitForSingleObject(done, kBeforeReturnMs) == WAIT_OBJECT_0) {
      CloseHandle(done);
    } else {
      report().violation("completion-blocks", kCall, "ActivateCompleted waits for the call's end");
    }
    return S_OK;
  }
  engine().later(pending->rule.delay_ms + kReadAgainMs, [pending] { complete(*pending); });
  return S_OK;
}

}  // namespace fake
