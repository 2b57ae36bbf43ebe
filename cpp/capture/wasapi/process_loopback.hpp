// SPDX-License-Identifier: MIT
#pragma once

#include <audioclient.h>
#include <mmdeviceapi.h>
#include <windows.h>

#include <atomic>
#include <cstdint>

#include "capture/wasapi/com.hpp"
#include "os/windows/handle.hpp"

// Windows SDKs before 10.0.20348 and mingw-w64 before 11 lack this header.
#if __has_include(<audioclientactivationparams.h>)
#include <audioclientactivationparams.h>
#else
enum AUDIOCLIENT_ACTIVATION_TYPE {
  AUDIOCLIENT_ACTIVATION_TYPE_DEFAULT = 0,
  AUDIOCLIENT_ACTIVATION_TYPE_PROCESS_LOOPBACK = 1,
};
enum PROCESS_LOOPBACK_MODE {
  PROCESS_LOOPBACK_MODE_INCLUDE_TARGET_PROCESS_TREE = 0,
  PROCESS_LOOPBACK_MODE_EXCLUDE_TARGET_PROCESS_TREE = 1,
};
struct AUDIOCLIENT_PROCESS_LOOPBACK_PARAMS {
  DWORD TargetProcessId;
  PROCESS_LOOPBACK_MODE ProcessLoopbackMode;
};
struct AUDIOCLIENT_ACTIVATION_PARAMS {
  AUDIOCLIENT_ACTIVATION_TYPE ActivationType;
  union {
    AUDIOCLIENT_PROCESS_LOOPBACK_PARAMS ProcessLoopbackParams;
  };
};
#endif

namespace pypac {

/// One activation of process loopback, under way or done.
///
/// It owns what Windows reads of it, because Windows may do so after the call has returned, and
/// lives until Windows has let go of it: an activation that never completes costs this object and
/// nothing else.
class ProcessLoopbackActivation final : public IActivateAudioInterfaceCompletionHandler,
                                        public IAgileObject {
 public:
  /// [capture-thread, before its loop] Asks for the client of `process_id`'s tree, or, with
  /// `exclude`, of all but that. S_OK: wait for completed(), then take().
  [[nodiscard]] static HRESULT begin(std::uint32_t process_id, bool exclude,
                                     ComPtr<ProcessLoopbackActivation>& activation) noexcept;

  /// Is signalled once it is done.
  [[nodiscard]] HANDLE completed() const noexcept { return completed_.get(); }

  /// After completed(): what it gave.
  [[nodiscard]] HRESULT take(ComPtr<IAudioClient>& client) noexcept;

  /// [that same thread] Nobody waits any more: what still comes is released where it comes.
  /// completed() is closed, unless Windows is about to signal it.
  void abandon() noexcept;

  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID id, void** object) noexcept override;
  ULONG STDMETHODCALLTYPE AddRef() noexcept override;
  ULONG STDMETHODCALLTYPE Release() noexcept override;
  HRESULT STDMETHODCALLTYPE
  ActivateCompleted(IActivateAudioInterfaceAsyncOperation* operation) noexcept override;

 private:
  enum class Phase { pending, completing, completed, abandoned };

  ProcessLoopbackActivation(std::uint32_t process_id, bool exclude) noexcept;
  // By Release() only.
  virtual ~ProcessLoopbackActivation() = default;

  std::atomic<ULONG> references_{1};
  AUDIOCLIENT_ACTIVATION_PARAMS parameters_{};
  PROPVARIANT variant_{};                                    // borrows parameters_: never cleared
  Handle completed_;                                         // of whoever ends `pending`
  ComPtr<IActivateAudioInterfaceAsyncOperation> operation_;  // of the thread that began it
  std::atomic<Phase> phase_{Phase::pending};
  HRESULT result_ = E_PENDING;  // written while completing
  ComPtr<IUnknown> activated_;  // written while completing
};

}  // namespace pypac
