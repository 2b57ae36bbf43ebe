// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace pypac {

/// What programs find a track's virtual source by: "pypac-obs.SESSION.TRACK". PulseAudio takes no
/// names but of ASCII letters, digits and "-_.", and none of 128 bytes: every other byte is written
/// as .XX, and the end of a longer name as a number that stands for it.
///
/// Example: "my game", "mic 1" -> "pypac-obs.my.20game.mic.201".
[[nodiscard]] std::string virtual_source_name(const std::string& session, const std::string& track);

}  // namespace pypac
