// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <array>
#include <cstdio>

#include "windows_headers.hpp"

namespace fake {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> code{};
      std::snprintf(code.data(), code.size(), "\\u%04x", static_cast<unsigned char>(c));
      out += code.data();
    } else {
      out += c;
    }
  }
  return out + '"';
}

void write_to_file(const std::string& text) {
  std::array<wchar_t, 1024> path{};
  const DWORD length = GetEnvironmentVariableW(L"PYPAC_FAKE_MMDEVAPI_REPORT", path.data(),
                                               static_cast<DWORD>(path.size()));
  if (length == 0 || length >= path.size()) return;
  const HANDLE file = CreateFileW(path.data(), FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE,
                                  nullptr, OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return;
  DWORD written = 0;
  WriteFile(file, text.data(), static_cast<DWORD>(text.size()), &written, nullptr);
  CloseHandle(file);
}

}  // namespace

Line::Line(std::string_view event) : text_("{\"event\": " + quoted(event)) {
  add("process", static_cast<std::int64_t>(GetCurrentProcessId()));
}

Line& Line::add(std::string_view key, std::string_view text) {
  text_ += ", " + quoted(key) + ": " + quoted(text);
  return *this;
}

Line& Line::add(std::string_view key, std::int64_t number) {
  text_ += ", " + quoted(key) + ": " + std::to_string(number);
  return *this;
}

Line& Line::add_result(std::string_view key, long result) {
  std::array<char, 16> code{};
  std::snprintf(code.data(), code.size(), "0x%08lx", static_cast<unsigned long>(result));
  return add(key, code.data());
}

void Report::append(const Line& line) {
  lines_.push_back(line.text());
  write_to_file(lines_.back() + "\n");
}

void Report::write(const Line& line) {
  const std::lock_guard lock(mutex_);
  append(line);
}

void Report::violation(std::string_view rule, std::string_view where, std::string_view detail) {
  const std::lock_guard lock(mutex_);
  ++violations_;
  Line line("violation");
  line.add("rule", rule).add("where", where).add("detail", detail);
  append(line.add("thread", static_cast<std::int64_t>(GetCurrentThreadId())));
}

void Report::count(std::string_view method) {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(method);
  if (found == calls_.end())
    calls_.emplace(std::string(method), 1);
  else
    ++found->second;
}

std::uint64_t Report::opened(const char* type) {
  const std::lock_guard lock(mutex_);
  open_[++last_id_].type = type;
  return last_id_;
}

void Report::closed(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  open_.erase(id);
}

void Report::references(std::uint64_t id, std::uint32_t count) {
  const std::lock_guard lock(mutex_);
  if (const auto found = open_.find(id); found != open_.end()) found->second.references = count;
}

void Report::await_closed() {
  for (int i = 0; i < 500; ++i) {
    {
      const std::lock_guard lock(mutex_);
      if (open_.empty()) return;
    }
    Sleep(10);
  }
}

void Report::finish() {
  const std::lock_guard lock(mutex_);
  add_rest();
}

void Report::end(bool others_run) {
  std::unique_lock lock(mutex_, std::defer_lock);
  if (others_run)
    lock.lock();
  else if (!lock.try_lock())
    return;
  if (ended_) return;
  ended_ = true;
  add_rest();
}

void Report::add_rest() {
  // Written in one go: where a process is ending, any of these may be its last.
  const std::size_t before = lines_.size();
  for (const auto& [id, object] : open_) {
    Line line("open");
    line.add("type", object.type).add("id", static_cast<std::int64_t>(id));
    lines_.push_back(line.add("references", static_cast<std::int64_t>(object.references)).text());
  }
  for (const auto& [method, times] : calls_) {
    Line line("calls");
    line.add("method", method).add("times", static_cast<std::int64_t>(times));
    lines_.push_back(line.text());
  }
  Line line("end");
  line.add("violations", static_cast<std::int64_t>(violations_));
  lines_.push_back(line.add("open", static_cast<std::int64_t>(open_.size())).text());
  std::string text;
  for (std::size_t i = before; i < lines_.size(); ++i) text += lines_[i] + "\n";
  write_to_file(text);
  calls_.clear();
  violations_ = 0;
}

std::string Report::take() {
  const std::lock_guard lock(mutex_);
  std::string all;
  for (const std::string& line : lines_) all += line + "\n";
  lines_.clear();
  return all;
}

Report& report() {
  // Never destroyed: used until the process's last moment.
  static Report& one = *new Report;
  return one;
}

}  // namespace fake
