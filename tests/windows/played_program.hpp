// SPDX-License-Identifier: MIT
#pragma once

#include <windows.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "capture/wasapi/capture_client.hpp"
#include "os/process_snapshot.hpp"

namespace fake {

/// A program that runs under a name, as long as this lives: a copy of player.exe, which lies beside
/// this one. What it plays is in the double's script.
class PlayedProgram {
 public:
  /// `options` are the player's. Throws std::runtime_error.
  explicit PlayedProgram(const std::string& name, const std::string& options = "") {
    std::string own(MAX_PATH, '\0');
    own.resize(GetModuleFileNameA(nullptr, own.data(), MAX_PATH));
    const std::string folder = own.substr(0, own.find_last_of('\\') + 1);
    const std::string path = folder + name;
    CopyFileA((folder + "player.exe").c_str(), path.c_str(), FALSE);
    STARTUPINFOA startup{};
    startup.cb = sizeof(startup);
    std::string command = "\"" + path + "\" " + options;
    if (!CreateProcessA(path.c_str(), command.data(), nullptr, nullptr, FALSE, 0, nullptr, nullptr,
                        &startup, &process_)) {
      throw std::runtime_error(path + " does not start");
    }
  }
  PlayedProgram(const PlayedProgram&) = delete;
  PlayedProgram& operator=(const PlayedProgram&) = delete;
  ~PlayedProgram() {
    end();
    CloseHandle(process_.hThread);
    CloseHandle(process_.hProcess);
  }

  [[nodiscard]] std::int64_t pid() const { return process_.dwProcessId; }

  [[nodiscard]] pypac::CaptureTarget target() const {
    return {pypac::CaptureTarget::Kind::tree, pid(), pypac::read_process(pid())->start_time, {}};
  }

  void end() const {
    TerminateProcess(process_.hProcess, 0);
    WaitForSingleObject(process_.hProcess, INFINITE);
  }

 private:
  PROCESS_INFORMATION process_{};
};

using PlayedPrograms = std::vector<std::unique_ptr<PlayedProgram>>;

/// Programs with the names PREFIX0.exe, PREFIX1.exe, ...
inline PlayedPrograms played_programs(const std::string& prefix, std::size_t count) {
  PlayedPrograms programs;
  for (std::size_t i = 0; i < count; ++i)
    programs.push_back(std::make_unique<PlayedProgram>(prefix + std::to_string(i) + ".exe"));
  return programs;
}

}  // namespace fake
