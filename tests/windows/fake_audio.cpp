// SPDX-License-Identifier: MIT
#include "fake_audio.hpp"

#include <windows.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>

namespace fake {
namespace {

using Take = int(WINAPI*)(const char* script, char* error, int size);
using End = int(WINAPI*)(char* out, int size);
using Handovers = int(WINAPI*)(std::int64_t* out, int size);

FARPROC symbol(const char* name) {
  static const HMODULE module = LoadLibraryW(L"mmdevapi.dll");
  const FARPROC found = module ? GetProcAddress(module, name) : nullptr;
  if (!found)
    throw std::runtime_error("mmdevapi.dll is not the double: WINEDLLOVERRIDES=mmdevapi=n");
  return found;
}

void take(const char* function, std::string_view script) {
  std::array<char, 512> error{};
  const auto call = reinterpret_cast<Take>(reinterpret_cast<void*>(symbol(function)));
  if (call(std::string(script).c_str(), error.data(), static_cast<int>(error.size())) != 0) {
    throw std::runtime_error(error.data());
  }
}

}  // namespace

Seen::Seen(std::string_view text) : text_(text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines_.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string Seen::value(const std::string& line, std::string_view key) {
  std::string mark = "\"";
  mark.append(key).append("\": ");
  const std::size_t found = line.find(mark);
  if (found == std::string::npos) return "";
  const std::size_t begin = found + mark.size();
  if (line[begin] != '"') return line.substr(begin, line.find_first_of(",}", begin) - begin);
  return line.substr(begin + 1, line.find('"', begin + 1) - begin - 1);
}

std::vector<std::string> Seen::of(std::string_view event) const {
  std::vector<std::string> found;
  for (const std::string& line : lines_) {
    if (value(line, "event") == event) found.push_back(line);
  }
  return found;
}

std::vector<std::string> Seen::violations() const {
  std::vector<std::string> rules;
  for (const std::string& line : of("violation")) rules.push_back(value(line, "rule"));
  return rules;
}

bool Seen::violated(std::string_view rule) const {
  const std::vector<std::string> all = violations();
  return std::find(all.begin(), all.end(), rule) != all.end();
}

std::vector<std::string> Seen::open() const {
  std::vector<std::string> types;
  for (const std::string& line : of("open")) types.push_back(value(line, "type"));
  return types;
}

int Seen::calls(std::string_view method) const {
  for (const std::string& line : of("calls")) {
    if (value(line, "method") == method) return std::atoi(value(line, "times").c_str());
  }
  return 0;
}

FakeAudio::FakeAudio(std::string_view script) {
  take("FakeBegin", script);
}

FakeAudio::~FakeAudio() {
  if (!ended_) static_cast<void>(end());
}

void FakeAudio::change(std::string_view script) {
  take("FakeChange", script);
}

std::vector<std::chrono::nanoseconds> FakeAudio::handovers() {
  const auto call = reinterpret_cast<Handovers>(reinterpret_cast<void*>(symbol("FakeHandovers")));
  std::vector<std::int64_t> all(std::size_t{1} << 18);
  const int count = call(all.data(), static_cast<int>(all.size()));
  std::vector<std::chrono::nanoseconds> times;
  for (int i = 0; i < count; ++i) times.emplace_back(all[static_cast<std::size_t>(i)] * 100);
  return times;
}

Seen FakeAudio::end() {
  ended_ = true;
  const auto call = reinterpret_cast<End>(reinterpret_cast<void*>(symbol("FakeEnd")));
  std::string text(1 << 20, '\0');
  const int length = call(text.data(), static_cast<int>(text.size()));
  text.resize(std::min(text.size(), static_cast<std::size_t>(length)));
  return Seen(text);
}

}  // namespace fake
