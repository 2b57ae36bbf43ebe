// SPDX-License-Identifier: MIT
// A DLL that cannot be loaded: the loader fails with the number in PYPAC_REFUSE_WITH, as Windows'
// does where virus protection or a policy forbids it. So it is under Wine, which takes the code of
// an exception in DllMain for the reason.
#include <windows.h>

#include <array>
#include <cstdlib>

extern "C" BOOL WINAPI DllMain(HINSTANCE, DWORD reason, void*) {
  if (reason != DLL_PROCESS_ATTACH) return TRUE;
  std::array<char, 16> number{};
  GetEnvironmentVariableA("PYPAC_REFUSE_WITH", number.data(), static_cast<DWORD>(number.size()));
  constexpr DWORD kWindowsError = 0x80070000;
  RaiseException(kWindowsError | static_cast<DWORD>(std::atoi(number.data())), 0, 0, nullptr);
  return FALSE;
}
