// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace fake {

/// What the double saw during a test.
class Seen {
 public:
  explicit Seen(std::string_view text);

  /// The rules that were broken, in order, with repetitions.
  [[nodiscard]] std::vector<std::string> violations() const;
  [[nodiscard]] bool violated(std::string_view rule) const;
  /// Types of the objects that are still referenced.
  [[nodiscard]] std::vector<std::string> open() const;
  /// How often a method was called.
  [[nodiscard]] int calls(std::string_view method) const;
  /// All lines of an event, as JSON.
  [[nodiscard]] std::vector<std::string> of(std::string_view event) const;
  /// The whole, to print where a test fails.
  [[nodiscard]] const std::string& text() const { return text_; }

  /// A value of a line; empty: it has none.
  [[nodiscard]] static std::string value(const std::string& line, std::string_view key);

 private:
  std::string text_;
  std::vector<std::string> lines_;
};

/// The double of Windows' audio service in this process, for C++ tests. It is the module that the
/// code under test loads as mmdevapi.dll. Example:
///
///     FakeAudio windows("program game.exe tone=440");
///     ... the code under test ...
///     const Seen seen = windows.end();
///     CHECK(seen.violations().empty());
class FakeAudio {
 public:
  /// Throws std::runtime_error where the double is not what mmdevapi.dll is, or the script is
  /// wrong.
  explicit FakeAudio(std::string_view script);
  FakeAudio(const FakeAudio&) = delete;
  FakeAudio& operator=(const FakeAudio&) = delete;
  ~FakeAudio();

  /// Another script from now on, as Windows changes while it runs.
  static void change(std::string_view script);
  /// How long each packet took from being put until the client released it, which has copied its
  /// frames by then; since the beginning or the last call.
  [[nodiscard]] static std::vector<std::chrono::nanoseconds> handovers();
  [[nodiscard]] Seen end();

 private:
  bool ended_ = false;
};

}  // namespace fake
