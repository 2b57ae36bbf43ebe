// SPDX-License-Identifier: MIT
#include "script.hpp"

#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>

#include "report.hpp"
#include "windows_headers.hpp"

namespace fake {
namespace {

std::uint64_t joined(FILETIME time) {
  return (static_cast<std::uint64_t>(time.dwHighDateTime) << 32) | time.dwLowDateTime;
}

using Settings = std::vector<std::pair<std::string, std::string>>;

struct ScriptLine {
  std::string keyword;
  std::string name;
  Settings settings;
};

const std::map<std::string, unsigned long, std::less<>>& result_names() {
  static const std::map<std::string, unsigned long, std::less<>> names{
      {"S_OK", 0x00000000},
      {"E_FAIL", 0x80004005},
      {"E_UNEXPECTED", 0x8000ffff},
      {"E_INVALIDARG", 0x80070057},
      {"E_OUTOFMEMORY", 0x8007000e},
      {"E_ACCESSDENIED", 0x80070005},
      {"E_NOTIMPL", 0x80004001},
      {"E_NOINTERFACE", 0x80004002},
      {"E_NOTFOUND", 0x80070490},
      {"FILE_NOT_FOUND", 0x80070002},
      {"DEVICE_INVALIDATED", 0x88890004},
      {"OUT_OF_ORDER", 0x88890007},
      {"UNSUPPORTED_FORMAT", 0x88890008},
      {"DEVICE_IN_USE", 0x8889000a},
      {"ENDPOINT_CREATE_FAILED", 0x8889000f},
      {"SERVICE_NOT_RUNNING", 0x88890010},
      {"BUFFER_ERROR", 0x88890018},
      {"RESOURCES_INVALIDATED", 0x88890026},
      {"SERVER_UNAVAILABLE", 0x800706ba},
      {"BUFFER_EMPTY", 0x08890001},
  };
  return names;
}

long to_result(std::string_view text) {
  if (const auto found = result_names().find(text); found != result_names().end()) {
    return static_cast<long>(found->second);
  }
  if (text.starts_with("0x")) {
    unsigned long value = 0;
    const char* const end = text.data() + text.size();
    if (std::from_chars(text.data() + 2, end, value, 16).ptr == end) {
      return static_cast<long>(value);
    }
  }
  throw std::runtime_error("no such result: " + std::string(text));
}

std::vector<std::string> to_list(std::string_view text) {
  std::vector<std::string> list;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    list.emplace_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return list;
}

double to_number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0') throw std::runtime_error("not a number: " + text);
  return value;
}

std::uint64_t to_count(const std::string& text) {
  if (text == "forever") return kForEver;
  const double value = to_number(text);
  if (value < 0) throw std::runtime_error("may not be negative: " + text);
  return static_cast<std::uint64_t>(value);
}

std::uint32_t to_small(const std::string& text) {
  return static_cast<std::uint32_t>(to_count(text));
}

bool to_flag(const std::string& text) {
  if (text == "yes") return true;
  if (text == "no") return false;
  throw std::runtime_error("yes or no, not: " + text);
}

std::string one_of(const std::string& text, std::initializer_list<const char*> allowed) {
  for (const char* const one : allowed) {
    if (text == one) return text;
  }
  throw std::runtime_error("cannot be: " + text);
}

[[noreturn]] void unknown(const std::string& key) {
  throw std::runtime_error("no such setting: " + key);
}

ScriptLine split(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool inside = false;
  bool quotes = false;
  for (const char c : text) {
    if (c == '"') {
      quotes = !quotes;
      inside = true;
    } else if (!quotes && c == '#') {
      break;
    } else if (!quotes && std::isspace(static_cast<unsigned char>(c))) {
      if (inside) words.push_back(word);
      word.clear();
      inside = false;
    } else {
      word += c;
      inside = true;
    }
  }
  if (quotes) throw std::runtime_error("a quotation mark is missing");
  if (inside) words.push_back(word);
  ScriptLine line;
  if (words.empty()) return line;
  line.keyword = words[0];
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t equals = words[i].find('=');
    if (equals == std::string::npos) {
      if (i != 1) throw std::runtime_error("not a setting: " + words[i]);
      line.name = words[i];
    } else {
      line.settings.emplace_back(words[i].substr(0, equals), words[i].substr(equals + 1));
    }
  }
  return line;
}

void apply(CaptureSettings& to, const std::string& key, const std::string& value) {
  if (key == "frames") {
    to.frames.clear();
    for (const std::string& one : to_list(value)) {
      to.frames.push_back(to_small(one));
      if (to.frames.back() == 0) throw std::runtime_error("a packet has a frame at least");
    }
  } else if (key == "per_event") {
    to.per_event = std::max(1U, to_small(value));
  } else if (key == "drift_ppm") {
    to.drift_ppm = to_number(value);
  } else if (key == "jitter_us") {
    to.jitter_us = to_small(value);
  } else if (key == "capacity_ms") {
    to.capacity_ms = to_small(value);
  } else if (key == "latency_ms") {
    to.latency_ms = to_small(value);
  } else if (key == "idle") {
    to.idle = one_of(value, {"silent", "zeros", "nothing"});
  } else if (key == "second") {
    to.second = one_of(value, {"silent", "heard", "refused"});
  } else if (key == "events") {
    to.events = to_flag(value);
  } else {
    unknown(key);
  }
}

ProgramRule program(const ScriptLine& line) {
  ProgramRule rule;
  rule.name = line.name;
  for (const auto& [key, value] : line.settings) {
    if (key == "tone")
      rule.tone_hz = to_number(value);
    else if (key == "level")
      rule.level = to_number(value);
    else if (key == "content")
      rule.content = one_of(value, {"tone", "numbers", "nothing", "rendered"});
    else if (key == "hidden")
      rule.hidden = to_flag(value);
    else if (key == "volume")
      rule.volume = to_number(value);
    else if (key == "mute")
      rule.mute = to_flag(value);
    else if (key == "session")
      rule.session = one_of(value, {"own", "none", "shared"});
    else if (key == "endpoint")
      rule.endpoints = to_list(value);
    else if (key == "delay_ms")
      rule.delay_ms = to_small(value);
    else if (key == "display_name")
      rule.display_name = value;
    else
      unknown(key);
  }
  return rule;
}

PacketRule packets(const ScriptLine& line) {
  PacketRule rule;
  rule.target = line.name;
  for (const auto& [key, value] : line.settings) {
    if (key == "from")
      rule.from = to_count(value);
    else if (key == "count")
      rule.count = to_count(value);
    else if (key == "every")
      rule.every = to_count(value);
    else if (key == "what")
      rule.what = one_of(
          value, {"lost", "lost_flagged", "silent", "zeros", "discontinuity", "timestamp_error",
                  "stamp_zero", "shift", "hold", "lost_event", "extra_event"});
    else if (key == "ms")
      rule.ms = to_number(value);
    else
      unknown(key);
  }
  if (rule.what.empty()) throw std::runtime_error("what= is missing");
  return rule;
}

ActivateRule activation(const ScriptLine& line) {
  ActivateRule rule;
  rule.target = line.name;
  for (const auto& [key, value] : line.settings) {
    if (key == "first")
      rule.first = to_count(value);
    else if (key == "times")
      rule.times = to_count(value);
    else if (key == "call")
      rule.call = to_result(value);
    else if (key == "outer")
      rule.outer = to_result(value);
    else if (key == "result")
      rule.result = to_result(value);
    else if (key == "delay_ms")
      rule.delay_ms = to_small(value);
    else if (key == "when")
      rule.when = one_of(value, {"later", "before_return", "never"});
    else
      unknown(key);
  }
  return rule;
}

FailRule failure(const ScriptLine& line) {
  FailRule rule;
  rule.target = line.name;
  for (const auto& [key, value] : line.settings) {
    if (key == "method")
      rule.method = value;
    else if (key == "nth")
      rule.nth = to_count(value);
    else if (key == "times")
      rule.times = to_count(value);
    else if (key == "result")
      rule.result = to_result(value);
    else if (key == "delay_ms")
      rule.delay_ms = to_small(value);
    else
      unknown(key);
  }
  if (rule.method.empty() || (rule.result == 0 && rule.delay_ms == 0))
    throw std::runtime_error("method=, and result= or delay_ms=");
  return rule;
}

EndpointRule endpoint(const ScriptLine& line) {
  EndpointRule rule;
  rule.id = rule.name = line.name;
  for (const auto& [key, value] : line.settings) {
    if (key == "name")
      rule.name = value;
    else if (key == "flow")
      rule.capture = one_of(value, {"render", "capture"}) == "capture";
    else if (key == "default")
      rule.is_default = to_flag(value);
    else if (key == "state")
      rule.state = one_of(value, {"active", "disabled", "notpresent", "unplugged"});
    else if (key == "rate")
      rule.rate = to_small(value);
    else if (key == "channels")
      rule.channels = to_small(value);
    else if (key == "placed")
      rule.placed = to_flag(value);
    else if (key == "content")
      rule.content = one_of(value, {"tone", "numbers", "nothing"});
    else if (key == "tone")
      rule.tone_hz = to_number(value);
    else if (key == "level")
      rule.level = to_number(value);
    else
      unknown(key);
  }
  return rule;
}

void take(Script& script, const ScriptLine& line) {
  if (line.keyword.empty()) return;
  if (line.keyword == "service") {
    for (const auto& [key, value] : line.settings) {
      if (key == "running")
        script.service_running = to_flag(value);
      else if (key == "notifies")
        script.service_notifies = to_flag(value);
      else
        unknown(key);
    }
    return;
  }
  if (line.name.empty()) throw std::runtime_error("the name is missing");
  if (line.keyword == "program") {
    script.programs.push_back(program(line));
  } else if (line.keyword == "capture") {
    CaptureSettings checked;
    for (const auto& [key, value] : line.settings) apply(checked, key, value);
    script.captures.push_back({line.name, line.settings});
  } else if (line.keyword == "packets") {
    script.packets.push_back(packets(line));
  } else if (line.keyword == "activate") {
    script.activations.push_back(activation(line));
  } else if (line.keyword == "fail") {
    script.failures.push_back(failure(line));
  } else if (line.keyword == "endpoint") {
    script.endpoints.push_back(endpoint(line));
  } else {
    throw std::runtime_error("no such line: " + line.keyword);
  }
}

/// Who says nothing of endpoints has one of each.
void add_default_endpoints(Script& script) {
  if (!script.endpoints.empty()) return;
  EndpointRule speakers;
  speakers.id = "{0.0.0.00000000}.{speakers}";
  speakers.name = "Speakers (Fake Audio)";
  speakers.is_default = true;
  EndpointRule microphone;
  microphone.id = "{0.0.1.00000000}.{microphone}";
  microphone.name = "Microphone (Fake Audio)";
  microphone.capture = true;
  microphone.is_default = true;
  script.endpoints = {speakers, microphone};
}

bool same_letter(char one, char two) {
  return std::tolower(static_cast<unsigned char>(one)) ==
         std::tolower(static_cast<unsigned char>(two));
}

}  // namespace

bool PacketRule::covers(std::uint64_t packet) const {
  if (packet < from) return false;
  const std::uint64_t since = packet - from;
  return (every > 0 ? since % every : since) < count;
}

std::shared_ptr<const Script> Script::parse(std::string_view text) {
  auto script = std::make_shared<Script>();
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    ++number;
    try {
      take(*script, split(text.substr(0, end)));
    } catch (const std::runtime_error& error) {
      throw std::runtime_error("line " + std::to_string(number) + ": " + error.what());
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  add_default_endpoints(*script);
  return script;
}

CaptureSettings Script::settings_of(std::string_view client) const {
  CaptureSettings settings;
  for (const CaptureRule& rule : captures) {
    if (!matches(rule.target, client)) continue;
    for (const auto& [key, value] : rule.settings) apply(settings, key, value);
  }
  return settings;
}

bool matches(std::string_view glob, std::string_view name) {
  if (glob.empty()) return name.empty();
  if (glob[0] == '*') {
    return matches(glob.substr(1), name) || (!name.empty() && matches(glob, name.substr(1)));
  }
  return !name.empty() && (glob[0] == '?' || same_letter(glob[0], name[0])) &&
         matches(glob.substr(1), name.substr(1));
}

std::shared_ptr<const Script> CurrentScript::get() {
  const std::lock_guard lock(mutex_);
  if (!script_) read_file();
  return script_;
}

void CurrentScript::set(std::string_view text) {
  std::shared_ptr<const Script> script = Script::parse(text);
  const std::lock_guard lock(mutex_);
  script_ = std::move(script);
  from_file_ = false;
}

void CurrentScript::look() {
  const std::lock_guard lock(mutex_);
  if (from_file_) read_file();
}

void CurrentScript::read_file() {
  if (!script_) script_ = Script::parse("");
  std::array<wchar_t, 1024> path{};
  const DWORD length =
      GetEnvironmentVariableW(L"PYPAC_FAKE_MMDEVAPI", path.data(), static_cast<DWORD>(path.size()));
  if (length == 0 || length >= path.size()) return;
  // Opened only when there is something new: that takes Wine much longer.
  WIN32_FILE_ATTRIBUTE_DATA there{};
  if (GetFileAttributesExW(path.data(), GetFileExInfoStandard, &there) &&
      joined(there.ftLastWriteTime) == file_stamp_) {
    return;
  }
  const HANDLE file =
      CreateFileW(path.data(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                  nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) {
    if (file_stamp_ != 1) report().violation("script", "PYPAC_FAKE_MMDEVAPI", "cannot be read");
    file_stamp_ = 1;
    return;
  }
  FILETIME written{};
  GetFileTime(file, nullptr, nullptr, &written);
  file_stamp_ = joined(written);
  std::string text;
  std::array<char, 4096> part{};
  DWORD got = 0;
  while (ReadFile(file, part.data(), static_cast<DWORD>(part.size()), &got, nullptr) && got > 0) {
    text.append(part.data(), got);
  }
  CloseHandle(file);
  try {
    script_ = Script::parse(text);
    report().write(Line("script").add("bytes", static_cast<std::int64_t>(text.size())));
  } catch (const std::runtime_error& error) {
    report().violation("script", "PYPAC_FAKE_MMDEVAPI", error.what());
    std::fprintf(stderr, "fake mmdevapi: %s\n", error.what());
  }
}

CurrentScript& current_script() {
  static CurrentScript& one = *new CurrentScript;
  return one;
}

}  // namespace fake
