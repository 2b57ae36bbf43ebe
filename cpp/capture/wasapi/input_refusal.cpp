// SPDX-License-Identifier: MIT
#include "capture/wasapi/input_refusal.hpp"

#include <audioclient.h>
#include <windows.h>

namespace pypac {

std::optional<InputRefusal> input_refusal(long code) noexcept {
  switch (code) {
    case E_ACCESSDENIED:
      return InputRefusal{
          "Windows' privacy settings keep desktop apps from the microphone",
          "Allow it in Windows: Settings > Privacy & security > Microphone > Let desktop apps "
          "access your microphone."};
    case AUDCLNT_E_DEVICE_IN_USE:
      return InputRefusal{"another program has the device to itself (exclusive mode)",
                          "Close that program, or turn its exclusive mode off."};
    default:
      return std::nullopt;
  }
}

}  // namespace pypac
