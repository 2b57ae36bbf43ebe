// SPDX-License-Identifier: MIT
#pragma once

#include <windows.h>
// Behind it, for they need it; and the second of these needs the first.
#include <ks.h>
#include <ksmedia.h>
#include <mmreg.h>

#include <cstdint>

namespace pypac {

/// Stereo (or mono) 32-bit float, as Windows wants it described.
[[nodiscard]] inline WAVEFORMATEXTENSIBLE float_format(std::uint32_t rate,
                                                       std::uint32_t channels) noexcept {
  WAVEFORMATEXTENSIBLE format{};
  format.Format.wFormatTag = WAVE_FORMAT_EXTENSIBLE;
  format.Format.nChannels = static_cast<WORD>(channels);
  format.Format.nSamplesPerSec = rate;
  format.Format.wBitsPerSample = 32;
  format.Format.nBlockAlign = static_cast<WORD>(channels * sizeof(float));
  format.Format.nAvgBytesPerSec = format.Format.nBlockAlign * rate;
  format.Format.cbSize = sizeof(WAVEFORMATEXTENSIBLE) - sizeof(WAVEFORMATEX);
  format.Samples.wValidBitsPerSample = 32;
  format.dwChannelMask = SPEAKER_FRONT_LEFT | (channels > 1 ? SPEAKER_FRONT_RIGHT : 0);
  // KSDATAFORMAT_SUBTYPE_IEEE_FLOAT, without a library that only holds GUIDs.
  format.SubFormat = {0x00000003, 0x0000, 0x0010, {0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71}};
  return format;
}

}  // namespace pypac
