// SPDX-License-Identifier: MIT
// What the module exports: Windows' own names, and some for tests in the same process.
#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "activation.hpp"
#include "com_object.hpp"
#include "device_enumerator.hpp"
#include "engine.hpp"
#include "handovers.hpp"
#include "report.hpp"
#include "script.hpp"
#include "windows_headers.hpp"

namespace {

class Factory final : public fake::ComObject<IClassFactory> {
 public:
  Factory() : ComObject("IClassFactory") {}
  HRESULT STDMETHODCALLTYPE CreateInstance(IUnknown* outer, REFIID iid, void** out) override {
    if (!out) return E_POINTER;
    *out = nullptr;
    if (outer) return CLASS_E_NOAGGREGATION;
    fake::engine().run();
    const fake::ComPointer<IMMDeviceEnumerator> made(fake::make_device_enumerator());
    return made->QueryInterface(iid, out);
  }
  HRESULT STDMETHODCALLTYPE LockServer(BOOL) override { return S_OK; }
};

}  // namespace

extern "C" {

HRESULT WINAPI ActivateAudioInterfaceAsync(LPCWSTR path, REFIID iid, PROPVARIANT* parameters,
                                           IActivateAudioInterfaceCompletionHandler* handler,
                                           IActivateAudioInterfaceAsyncOperation** operation) {
  return fake::activate_async(path, iid, parameters, handler, operation);
}

HRESULT WINAPI DllGetClassObject(REFCLSID clsid, REFIID iid, void** out) {
  if (!out) return E_POINTER;
  *out = nullptr;
  if (clsid != __uuidof(MMDeviceEnumerator)) return CLASS_E_CLASSNOTAVAILABLE;
  const fake::ComPointer<IClassFactory> factory(new Factory);
  return factory->QueryInterface(iid, out);
}

HRESULT WINAPI DllCanUnloadNow() {
  return S_FALSE;
}

/// Takes another script, as Windows changes while it runs. Returns 0, or -1 with what is wrong with
/// it in `error`.
int WINAPI FakeChange(const char* script, char* error, int size) {
  try {
    fake::current_script().set(script);
  } catch (const std::runtime_error& wrong) {
    if (error && size > 0) {
      std::strncpy(error, wrong.what(), static_cast<std::size_t>(size));
      error[size - 1] = '\0';
    }
    return -1;
  }
  return 0;
}

/// Begins a test in this process: forgets all that was, takes a script as FakeChange does.
int WINAPI FakeBegin(const char* script, char* error, int size) {
  if (FakeChange(script, error, size) != 0) return -1;
  fake::engine().run();
  fake::engine().begin();
  static_cast<void>(fake::report().take());
  fake::handovers().clear();
  return 0;
}

/// Ends a test: the report's lines since FakeBegin into `out`. Returns their length, which is more
/// than `size` if they were cut.
int WINAPI FakeEnd(char* out, int size) {
  fake::engine().drain_notifications();
  fake::report().await_closed();
  fake::report().finish();
  const std::string all = fake::report().take();
  const std::size_t fits = std::min(all.size(), static_cast<std::size_t>(std::max(0, size)));
  std::memcpy(out, all.data(), fits);
  return static_cast<int>(all.size());
}

/// How long packets took from being put until they were released, in 100 ns, since FakeBegin or the
/// last call. Returns how many there are, of which `out` gets the first `size`.
int WINAPI FakeHandovers(std::int64_t* out, int size) {
  fake::Handovers& all = fake::handovers();
  const std::size_t count = all.size();
  for (std::size_t i = 0; i < count && i < static_cast<std::size_t>(size); ++i) out[i] = all.at(i);
  all.clear();
  return static_cast<int>(count);
}

BOOL WINAPI DllMain(HINSTANCE, DWORD reason, LPVOID) {
  // Of a process that did not come to its exit().
  if (reason == DLL_PROCESS_DETACH) fake::report().end(false);
  return TRUE;
}

}  // extern "C"
