// SPDX-License-Identifier: MIT
#include "engine.hpp"

#include <algorithm>
#include <chrono>

#include "rendering.hpp"
#include "report.hpp"
#include "stream.hpp"
#include "windows_headers.hpp"

namespace fake {
namespace {

constexpr DWORD kTickMs = 2;
constexpr std::int64_t kScan100ns = 300'000;  // how often the processes are looked at

std::uint64_t file_time_now() {
  FILETIME now{};
  GetSystemTimeAsFileTime(&now);
  return (static_cast<std::uint64_t>(now.dwHighDateTime) << 32) | now.dwLowDateTime;
}

/// The thread outlives whoever loaded the module.
void keep_module_loaded() {
  HMODULE module = nullptr;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     reinterpret_cast<LPCWSTR>(&keep_module_loaded), &module);
}

/// Whoever calls exit() still has all its threads, and ends in good order. Only after that Windows
/// kills them: Wine then takes one's answer from its server for another's if it was killed while it
/// waited for a file, and the process ends in the middle of the double's last lines.
int __cdecl end_in_good_order() {
  report().await_closed();
  engine().end();
  report().end(true);
  return 0;
}

/// In the list of the program's own C library: the module's is worked off when threads are dead.
void call_at_exit(int(__cdecl* function)()) {
  const HMODULE library = GetModuleHandleW(L"msvcrt.dll");
  if (!library) return;
  using Register = void*(__cdecl*)(int(__cdecl*)());
  const FARPROC found = GetProcAddress(library, "_onexit");
  if (found) reinterpret_cast<Register>(reinterpret_cast<void*>(found))(function);
}

}  // namespace

void Worker::post(std::uint32_t delay_ms, Task task) {
  const std::lock_guard lock(mutex_);
  tasks_.emplace(qpc_100ns() + static_cast<std::int64_t>(delay_ms) * 10'000, std::move(task));
  if (!started_) {
    started_ = true;
    keep_module_loaded();
    std::thread([this] { run(); }).detach();
  }
  changed_.notify_all();
}

bool Worker::is_this_thread() const {
  return thread_ == GetCurrentThreadId();
}

void Worker::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock,
                [&] { return !busy_ && (tasks_.empty() || tasks_.begin()->first > qpc_100ns()); });
}

void Worker::run() {
  thread_ = GetCurrentThreadId();
  CoInitializeEx(nullptr, COINIT_MULTITHREADED);
  std::unique_lock lock(mutex_);
  for (;;) {
    if (tasks_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const std::int64_t left = tasks_.begin()->first - qpc_100ns();
    if (left > 0) {
      changed_.wait_for(lock, std::chrono::microseconds(left / 10 + 1));
      continue;
    }
    Task task = std::move(tasks_.begin()->second);
    tasks_.erase(tasks_.begin());
    busy_ = true;
    lock.unlock();
    task();
    task = nullptr;  // what it holds is released before the next, and without the lock
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

void Engine::run() {
  const std::lock_guard lock(mutex_);
  if (running_) return;
  running_ = true;
  script_ = current_script().get();
  keep_module_loaded();
  scan();
  thread_ = std::thread([this] { work(); });
  call_at_exit(end_in_good_order);
}

void Engine::end() {
  ending_ = true;
  if (thread_.joinable()) thread_.join();
}

void Engine::begin() {
  const std::lock_guard lock(mutex_);
  script_ = current_script().get();
  players_.clear();
  sessions_.clear();
  activations_seen_.clear();
  {
    const std::lock_guard calls_lock(calls_mutex_);
    calls_seen_.clear();
  }
  if (running_) scan();
}

void Engine::work() {
  std::int64_t scanned = 0;
  while (!ending_) {
    Sleep(kTickMs);
    const std::int64_t now = qpc_100ns();
    const bool due = now - scanned >= kScan100ns;
    if (due) current_script().look();
    const std::lock_guard lock(mutex_);
    if (due) {
      scanned = now;
      std::shared_ptr<const Script> fresh = current_script().get();
      if (fresh != script_) {
        compare_endpoints(*script_, *fresh);
        script_ = std::move(fresh);
      }
      scan();
    }
    for (const std::shared_ptr<Stream>& stream : streams_) {
      stream->tick(now, *script_, mix_of(stream->target()));
    }
  }
}

void Engine::scan() {
  processes_.refresh();
  const std::uint64_t now = file_time_now();
  std::vector<Player> before;
  before.swap(players_);
  for (const Process* const process : processes_.running()) {
    const auto rule =
        std::find_if(script_->programs.begin(), script_->programs.end(),
                     [&](const auto& one) { return matches(one.name, process->name); });
    if (rule == script_->programs.end()) continue;
    Player player{*process, *rule, {}, false};
    player.sounds = now >= process->created + static_cast<std::uint64_t>(rule->delay_ms) * 10'000;
    if (rule->content == "rendered") player.sounds = renders_sound(process->pid);
    const auto known = std::find_if(before.begin(), before.end(), [&](const Player& one) {
      return one.process.pid == process->pid && one.process.created == process->created;
    });
    const bool was_known = known != before.end();
    if (was_known) {
      player.sessions = known->sessions;
    } else {
      Line line("program");
      line.add("name", process->name).add("pid", static_cast<std::int64_t>(process->pid));
      report().write(line.add("parent", static_cast<std::int64_t>(process->parent)));
    }
    if (player.sounds && player.sessions.empty() && rule->session != "none") {
      const EndpointRule* const standard = default_endpoint(*script_, false);
      std::vector<std::string> endpoints = rule->endpoints;
      if (endpoints.empty()) endpoints.push_back(standard ? standard->id : "");
      for (const std::string& on : endpoints) {
        auto session = std::make_shared<SessionState>(*process, on, rule->session == "shared");
        session->set_volume(static_cast<float>(rule->volume), GUID_NULL);
        session->set_mute(rule->mute, GUID_NULL);
        session->set_display_name(wide(rule->display_name));
        sessions_.push_back(session);
        for (Watcher* const watcher : watchers_) watcher->session_created(session);
        player.sessions.push_back(std::move(session));
      }
    } else if (was_known) {
      // Only what the script has changed: a client may have set the rest.
      for (const auto& session : player.sessions) {
        if (known->rule.volume != rule->volume)
          session->set_volume(static_cast<float>(rule->volume), GUID_NULL);
        if (known->rule.mute != rule->mute) session->set_mute(rule->mute, GUID_NULL);
      }
    }
    const bool loud = player.sounds && rule->content != "nothing";
    for (const auto& session : player.sessions) {
      session->set_peak(loud ? static_cast<float>(rule->level) : 0.0F);
      session->set_state(loud ? AudioSessionStateActive : AudioSessionStateInactive);
    }
    players_.push_back(std::move(player));
  }
  for (const Player& gone : before) {
    const bool stays = std::any_of(players_.begin(), players_.end(), [&](const Player& one) {
      return one.process.pid == gone.process.pid && one.process.created == gone.process.created;
    });
    if (stays) continue;
    for (const auto& session : gone.sessions) {
      session->set_peak(0);
      session->set_state(AudioSessionStateExpired);
    }
  }
}

void Engine::compare_endpoints(const Script& before, const Script& now) {
  const auto find = [](const Script& script, const std::string& id) {
    const auto found = std::find_if(script.endpoints.begin(), script.endpoints.end(),
                                    [&](const auto& one) { return one.id == id; });
    return found == script.endpoints.end() ? nullptr : &*found;
  };
  for (EndpointWatcher* const watcher : endpoint_watchers_) {
    for (const EndpointRule& rule : now.endpoints) {
      const EndpointRule* const old = find(before, rule.id);
      if (!old) watcher->endpoint_added(rule.id);
      if (old && old->state != rule.state) watcher->endpoint_state(rule.id, rule.state);
    }
    for (const EndpointRule& rule : before.endpoints) {
      if (!find(now, rule.id)) watcher->endpoint_removed(rule.id);
    }
    for (const bool capture : {false, true}) {
      const EndpointRule* const old = default_endpoint(before, capture);
      const EndpointRule* const fresh = default_endpoint(now, capture);
      const std::string old_id = old ? old->id : "";
      const std::string new_id = fresh ? fresh->id : "";
      if (old_id != new_id) watcher->default_changed(capture, new_id);
    }
  }
}

Mix Engine::mix_of(const Target& target) const {
  Mix mix;
  if (target.kind == Target::Kind::capture_endpoint) {
    for (const EndpointRule& rule : script_->endpoints) {
      if (rule.id != target.endpoint || rule.content == "nothing") continue;
      mix.playing = true;
      mix.voices.push_back(
          {rule.content == "numbers" ? Voice::Content::numbers : Voice::Content::tone, rule.tone_hz,
           rule.level});
    }
    return mix;
  }
  for (const Player& player : players_) {
    if (!player.sounds || player.rule.content == "nothing") continue;
    // What a process plays, its sessions have in common: the first speaks for all.
    std::shared_ptr<SessionState> session;
    if (!player.sessions.empty()) session = player.sessions.front();
    if (target.kind == Target::Kind::render_endpoint) {
      const auto there =
          std::find_if(player.sessions.begin(), player.sessions.end(),
                       [&](const auto& one) { return one->endpoint == target.endpoint; });
      if (there == player.sessions.end()) continue;
      session = *there;
    } else {
      const bool inside = processes_.within(player.process, target.pid, target.created);
      if (inside == (target.kind == Target::Kind::all_but_tree)) continue;
    }
    mix.playing = true;
    const bool to_processes = target.is_process();
    if (player.rule.hidden && to_processes) continue;
    const SessionState::Look look = session ? session->look() : SessionState::Look{};
    if (look.mute || look.volume <= 0) continue;
    const bool numbers = player.rule.content == "numbers";
    mix.voices.push_back({numbers ? Voice::Content::numbers : Voice::Content::tone,
                          player.rule.tone_hz,
                          player.rule.level * static_cast<double>(look.volume)});
  }
  return mix;
}

void Engine::add(const std::shared_ptr<Stream>& stream) {
  const std::lock_guard lock(mutex_);
  streams_.push_back(stream);
}

void Engine::remove(const Stream& stream) {
  const std::lock_guard lock(mutex_);
  std::erase_if(streams_, [&](const auto& one) { return one.get() == &stream; });
}

bool Engine::is_second(const Stream& stream) {
  const std::lock_guard lock(mutex_);
  const Target& wanted = stream.target();
  return wanted.is_process() && std::any_of(streams_.begin(), streams_.end(), [&](const auto& one) {
           const Target& other = one->target();
           return one.get() != &stream && other.kind == wanted.kind && other.pid == wanted.pid &&
                  other.created == wanted.created;
         });
}

Target Engine::process_target(Pid pid, bool except) {
  const std::lock_guard lock(mutex_);
  Target target;
  target.kind = except ? Target::Kind::all_but_tree : Target::Kind::tree;
  target.pid = pid;
  const Process* process = processes_.find(pid);
  // To look at all of them takes long, and who wants many clients waits for it each time.
  if (!process || !ProcessTree::runs(*process)) {
    scan();
    process = processes_.find(pid);
  }
  if (process) target.created = process->created;
  target.name = process ? process->name : "pid:" + std::to_string(pid);
  if (except) target.name = "except:" + target.name;
  return target;
}

std::vector<std::shared_ptr<SessionState>> Engine::sessions(const std::string& endpoint) {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<SessionState>> all;
  for (const auto& session : sessions_) {
    if (session->endpoint == endpoint && session->look().state != AudioSessionStateExpired) {
      all.push_back(session);
    }
  }
  return all;
}

void Engine::watch(Watcher* watcher) {
  const std::lock_guard lock(mutex_);
  watchers_.push_back(watcher);
}

void Engine::unwatch(Watcher* watcher) {
  const std::lock_guard lock(mutex_);
  std::erase(watchers_, watcher);
}

void Engine::watch(EndpointWatcher* watcher) {
  const std::lock_guard lock(mutex_);
  endpoint_watchers_.push_back(watcher);
}

void Engine::unwatch(EndpointWatcher* watcher) {
  const std::lock_guard lock(mutex_);
  std::erase(endpoint_watchers_, watcher);
}

void Engine::notify(Worker::Task task) {
  if (current_script().get()->service_notifies) notifications_.post(0, std::move(task));
}

ActivateRule Engine::activation(const std::string& target) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<const Script> script = current_script().get();
  ActivateRule chosen;
  bool found = false;
  for (std::size_t i = 0; i < script->activations.size(); ++i) {
    const ActivateRule& rule = script->activations[i];
    if (!matches(rule.target, target)) continue;
    const std::uint64_t number = activations_seen_[std::to_string(i) + target]++;
    const bool now = number >= rule.first && number - rule.first < rule.times;
    if (now && !found) {
      chosen = rule;
      found = true;
    }
  }
  if (!script->service_running) chosen.call = AUDCLNT_E_SERVICE_NOT_RUNNING;
  return chosen;
}

HRESULT Engine::called(const std::string& client, const char* method) {
  report().count(method);
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(calls_mutex_);
    number = calls_seen_[client + " " + method]++;
  }
  const std::shared_ptr<const Script> script = current_script().get();
  if (!script->service_running) return AUDCLNT_E_SERVICE_NOT_RUNNING;
  for (const FailRule& rule : script->failures) {
    if (rule.method != method || !matches(rule.target, client)) continue;
    if (number >= rule.nth && number - rule.nth < rule.times) {
      Sleep(rule.delay_ms);
      if (rule.result == S_OK) return S_OK;
      Line line("failed");
      line.add("client", client).add("method", method);
      report().write(line.add_result("result", rule.result));
      return rule.result;
    }
  }
  return S_OK;
}

HRESULT Life::called(const std::string& client, const char* method) {
  if (const HRESULT result = died_of(); result != S_OK) {
    report().count(method);
    return result;
  }
  const HRESULT result = engine().called(client, method);
  constexpr HRESULT kServerUnavailable = HRESULT_FROM_WIN32(RPC_S_SERVER_UNAVAILABLE);
  // These are the object's end, not the call's.
  if (result == AUDCLNT_E_DEVICE_INVALIDATED || result == AUDCLNT_E_SERVICE_NOT_RUNNING ||
      result == AUDCLNT_E_RESOURCES_INVALIDATED || result == kServerUnavailable) {
    die(result);
  }
  return result;
}

Engine& engine() {
  static Engine& one = *new Engine;
  return one;
}

const EndpointRule* default_endpoint(const Script& script, bool capture) {
  for (const EndpointRule& rule : script.endpoints) {
    if (rule.capture == capture && rule.is_default && rule.state == "active") return &rule;
  }
  return nullptr;
}

std::wstring wide(std::string_view text) {
  std::wstring out(text.size(), L'\0');
  const int length = MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()),
                                         out.data(), static_cast<int>(out.size()));
  out.resize(static_cast<std::size_t>(length));
  return out;
}

std::string narrow(const wchar_t* text) {
  const int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, nullptr, 0, nullptr, nullptr);
  std::string out(static_cast<std::size_t>(size), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text, -1, out.data(), size, nullptr, nullptr);
  out.resize(static_cast<std::size_t>(size - 1));
  return out;
}

}  // namespace fake
