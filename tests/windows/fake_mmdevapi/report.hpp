// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace fake {

/// One line of the report: a flat JSON object.
class Line {
 public:
  explicit Line(std::string_view event);
  Line& add(std::string_view key, std::string_view text);
  Line& add(std::string_view key, const char* text) { return add(key, std::string_view(text)); }
  Line& add(std::string_view key, std::int64_t number);
  Line& add_result(std::string_view key, long result);  // an HRESULT, as "0x88890004"
  [[nodiscard]] std::string text() const { return text_ + "}"; }

 private:
  std::string text_;
};

/// What the double saw. Lines are kept, and written at once to the file of
/// PYPAC_FAKE_MMDEVAPI_REPORT if that is set, so that a killed process has left its report too.
/// [any-thread]
class Report {
 public:
  void write(const Line& line);
  /// A rule was broken. `rule` is one of the README's table.
  void violation(std::string_view rule, std::string_view where, std::string_view detail);
  void count(std::string_view method);

  std::uint64_t opened(const char* type);
  void closed(std::uint64_t id);
  void references(std::uint64_t id, std::uint32_t count);
  /// Waits until no object is referenced any more, but not for ever: a client's thread that was
  /// held up while it was stopped lets go of its objects later.
  void await_closed();

  /// Adds a line for each object that is still referenced, and one with the calls' counts.
  void finish();
  /// As finish(), once, when the process ends. `others_run`: else they have been killed, perhaps in
  /// here, and nothing is known any more.
  void end(bool others_run);
  /// All lines since the beginning or the last call, one after the other.
  [[nodiscard]] std::string take();

 private:
  struct Open {
    std::string type;
    std::uint32_t references = 1;
  };
  void append(const Line& line);
  void add_rest();  // under the lock

  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::map<std::string, std::uint64_t, std::less<>> calls_;
  std::map<std::uint64_t, Open> open_;
  std::uint64_t last_id_ = 0;
  std::uint64_t violations_ = 0;
  bool ended_ = false;
};

Report& report();

}  // namespace fake
