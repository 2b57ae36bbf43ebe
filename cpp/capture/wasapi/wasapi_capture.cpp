// SPDX-License-Identifier: MIT
#include "capture/wasapi/wasapi_capture.hpp"

#include <audioclient.h>
#include <windows.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <system_error>
#include <thread>
#include <utility>

#include "capture/binding.hpp"
#include "capture/input_channels.hpp"
#include "capture/mixed_source.hpp"
#include "capture/process_cover.hpp"
#include "capture/source_names.hpp"
#include "capture/wasapi/audio_sessions.hpp"
#include "capture/wasapi/capture_client.hpp"
#include "capture/wasapi/com.hpp"
#include "capture/wasapi/windows_version.hpp"
#include "core/decibels.hpp"
#include "core/host_clock.hpp"
#include "core/status.hpp"
#include "os/windows/handle.hpp"
#include "os/windows/ms_until.hpp"
#include "os/windows/open_process.hpp"

namespace pypac {
namespace {

using namespace std::chrono_literals;

// Processes start without an event.
constexpr HostTime kProcessRefresh = 250ms;
// A safety net: changes of sessions and endpoints are told by events.
constexpr HostTime kSessionRefresh = 1s;
constexpr HostTime kMeterTick = 50ms;
// Windows' own first processes never end, and it need not tell when they began.
constexpr std::int64_t kLastOfSystem = 4;
// An audio service that has not answered for so long hangs.
constexpr HostTime kAnswersWithin = 5s;
constexpr HostTime kStartsWithin = 1s;
constexpr HostTime kDeliversWithin = 300ms;
// A meter that has moved for so long while only silence came: not a matter of delays.
constexpr HostTime kBlindAfter = 2s;
constexpr HostTime kLoudWithin = 500ms;
// WaitForMultipleObjects takes 64 handles; two are our own.
constexpr std::size_t kMaxWatchedHandles = 62;

HostTime now() {
  return SystemClock().now();
}

std::string version_text() {
  return "10.0." + std::to_string(windows_build());
}

const char* name_of(StreamKind kind) {
  switch (kind) {
    case StreamKind::playback:
      return "playback";
    case StreamKind::re_emitter:
      return "re_emitter";
    case StreamKind::input:
      return "input";
    case StreamKind::own:
      break;
  }
  return "own";
}

/// The names of processes, each once: "cs2.exe, Discord.exe".
std::string listed(const std::vector<ProcessEntry>& processes) {
  std::vector<std::string> names;
  for (const ProcessEntry& process : processes) {
    if (std::ranges::find(names, process.executable) == names.end())
      names.push_back(process.executable);
  }
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// All are told to stop before the first is waited for, and all together, with what is done
/// `meanwhile`, have that time.
template <typename Clients, typename Meanwhile>
void stop_together(const Clients& clients, HostTime time, Meanwhile meanwhile) noexcept {
  const HostTime deadline = now() + time;
  for (const auto& client : clients) client->ask_to_stop();
  meanwhile(deadline);
  for (const auto& client : clients) client->stop_by(deadline);
}

/// A process that is waited for: while its handle is open nobody else gets its PID.
struct WatchedProcess {
  Handle handle;  // empty: Windows refuses it, and the process is only looked for
  std::uint64_t start_time = 0;

  [[nodiscard]] bool ended() const noexcept {
    return handle && WaitForSingleObject(handle.get(), 0) == WAIT_OBJECT_0;
  }
};

}  // namespace

/// The control half: a thread that watches processes and sessions, binds sources to them and has
/// clients for what is bound. What other threads ask for is answered from what it saw last.
class WasapiCapture::Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(WasapiOptions options);
  ~Session() = default;  // after stop()
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start();
  std::shared_ptr<Source> add_source(std::string name, Selector selector, std::uint32_t channels);
  bool wait_until_running(std::chrono::milliseconds timeout);
  std::vector<StreamView> streams();
  void remove_source(const std::string& name);
  SourceStatus source_status(const std::string& name);
  std::vector<SourceStatus> preview(const std::vector<Selector>& selectors);
  WasapiServer server_info();
  void stop() noexcept;

 private:
  /// What a selector is bound to: which trees or endpoints to capture, and who is meant.
  struct Bound {
    Binding binding;
    std::set<std::int64_t> pids;             // of the processes that are taken
    std::vector<CaptureTarget> targets;      // ascending
    std::vector<ProcessEntry> roots;         // of the trees among them
    std::vector<ProcessEntry> entangled;     // can't be captured apart
    std::vector<ProcessEntry> unidentified;  // may be another by now, or another's child
    std::vector<ProcessEntry> own;  // of the whole system: what plays and this process has started
  };

  struct SourceControl {
    std::string name;
    std::shared_ptr<MixedSource> source;
    Selector selector;
    Bound bound;
    HostTime bound_since{};
    SourceState state = SourceState::not_running;
    std::map<CaptureTarget, std::shared_ptr<Tap>> taps;
    std::vector<std::shared_ptr<Tap>> free_taps;
  };

  using Clients = std::map<CaptureTarget, std::shared_ptr<CaptureClient>>;

  // The worker's thread.
  void run() noexcept;
  void watch() noexcept;
  void look(AudioSessions& sessions, bool told);
  void stop_retired() noexcept;
  [[nodiscard]] std::vector<HANDLE> handles_to_wait_for() const;

  // Under the lock.
  void refresh_processes();
  [[nodiscard]] std::vector<StreamIdentity> identities() const;
  [[nodiscard]] std::vector<Bound> bind(std::span<const Selector> selectors,
                                        const PinnedProcesses& pinned) const;
  [[nodiscard]] Bound trees_of(const Selector& selector, Binding binding) const;
  [[nodiscard]] bool is_identified(std::int64_t pid) const;
  [[nodiscard]] std::vector<ProcessEntry> playing_children() const;
  void evaluate();
  void settle(SourceControl& source, std::set<CaptureTarget>& used);
  void watch_roots();
  void update_states();
  [[nodiscard]] std::vector<const AudioSession*> sessions_of(const Bound& bound) const;
  /// What Windows says of it.
  [[nodiscard]] StateFacts told_facts(const SourceControl& source) const;
  [[nodiscard]] StateFacts state_facts(const SourceControl& source) const;
  [[nodiscard]] std::string shielded_text(const Bound& bound) const;
  /// No answer of the audio service comes.
  [[nodiscard]] bool hangs() const {
    return asked_at_.count() != 0 && now() - asked_at_ > kAnswersWithin;
  }
  [[nodiscard]] bool service_lost() const { return service_lost_ || hangs(); }
  [[nodiscard]] std::string service_failure() const;
  [[nodiscard]] ReasonFacts reason_facts(const SourceControl& source) const;
  [[nodiscard]] SourceStatus status_of(const SourceControl& source, bool previewed) const;
  [[nodiscard]] bool settled() const;
  void check_alive() const {
    if (stopped_) throw Failure(ErrorKind::not_running, "the capture has been stopped");
  }

  const WasapiOptions options_;
  const Handle stop_event_{CreateEventW(nullptr, TRUE, FALSE, nullptr)};
  const Handle changed_event_{CreateEventW(nullptr, FALSE, FALSE, nullptr)};
  const Handle ended_event_{CreateEventW(nullptr, TRUE, FALSE, nullptr)};
  std::thread worker_;

  mutable std::mutex mutex_;  // of all below
  bool stopped_ = false;
  bool looked_ = false;       // the worker has looked once since the newest source
  bool looked_once_ = false;  // at all
  HostTime asked_at_{};  // when the audio service was asked what it has not answered; 0: it has
  bool service_lost_ = false;  // its last answer was an error
  long service_error_ = 0;
  ProcessSnapshot snapshot_;
  ProcessTable processes_;
  PinnedProcesses pinned_;
  HostTime processes_at_{};
  HostTime sessions_at_{};
  std::vector<SourceControl> sources_;
  Clients clients_;
  std::vector<std::shared_ptr<CaptureClient>> retired_;  // to be stopped without the lock
  std::map<std::int64_t, WatchedProcess> watched_;       // roots, by PID
  std::vector<AudioSession> sessions_;
  std::vector<AudioInput> inputs_;
  std::map<std::uint64_t, float> peaks_;  // by session, since streams()
  std::string default_output_;
  std::string default_input_;
};

WasapiCapture::Session::Session(WasapiOptions options) : options_(options) {
  const WasapiAvailability available = WasapiCapture::probe();
  if (!available.loadable) {
    throw Failure(ErrorKind::unsupported, available.reason,
                  "Update Windows: Windows 10 version 2004 or newer is needed.");
  }
  if (!stop_event_ || !changed_event_ || !ended_event_) {
    throw Failure(ErrorKind::backend_unavailable, "Windows gives no event", "",
                  static_cast<long>(GetLastError()));
  }
}

void WasapiCapture::Session::start() {
  try {
    worker_ = std::thread([self = shared_from_this()] { self->run(); });
  } catch (const std::system_error& error) {
    throw Failure(ErrorKind::backend_unavailable, "Windows gives no thread for the capture", "",
                  error.code().value());
  }
}

void WasapiCapture::Session::stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
    for (SourceControl& source : sources_) source.source->stop();
  }
  SetEvent(stop_event_.get());
  bool worker_ended = true;
  // Nobody else touches the clients any more.
  stop_together(std::views::values(clients_), options_.stop_time, [&](HostTime deadline) {
    if (!worker_.joinable()) return;
    // An audio service that hangs must not hang us: the worker then ends by itself, and owns this.
    worker_ended = WaitForSingleObject(ended_event_.get(), ms_until(deadline)) == WAIT_OBJECT_0;
    if (worker_ended)
      worker_.join();
    else
      worker_.detach();
  });
  clients_.clear();
  // Else it looks at them once more.
  if (worker_ended) watched_.clear();
}

void WasapiCapture::Session::run() noexcept {
  watch();
  SetEvent(ended_event_.get());
}

void WasapiCapture::Session::watch() noexcept {
  const ScopedApartment apartment;
  AudioSessions sessions(changed_event_.get());
  bool told = true;
  for (;;) {
    look(sessions, told);
    stop_retired();
    const std::vector<HANDLE> handles = handles_to_wait_for();
    const HostTime tick = options_.meter_streams ? kMeterTick : HostTime(options_.look_every);
    const DWORD woken = WaitForMultipleObjects(static_cast<DWORD>(handles.size()), handles.data(),
                                               FALSE, static_cast<DWORD>(tick / 1ms));
    if (woken == WAIT_OBJECT_0) break;
    told = woken == WAIT_OBJECT_0 + 1;
    if (woken > WAIT_OBJECT_0 + 1 && woken < WAIT_OBJECT_0 + handles.size()) {
      const std::lock_guard lock(mutex_);
      processes_at_ = {};  // a bound program has ended: look at once
    }
  }
}

void WasapiCapture::Session::stop_retired() noexcept {
  const std::vector<std::shared_ptr<CaptureClient>> retired = std::exchange(retired_, {});
  // While this thread waits, nothing new is bound.
  stop_together(retired, options_.stop_time, [](HostTime) {});
}

std::vector<HANDLE> WasapiCapture::Session::handles_to_wait_for() const {
  const std::lock_guard lock(mutex_);
  std::vector<HANDLE> handles{stop_event_.get(), changed_event_.get()};
  for (const auto& [pid, process] : watched_) {
    if (handles.size() == kMaxWatchedHandles + 2) break;
    if (process.handle && !process.ended()) handles.push_back(process.handle.get());
  }
  return handles;
}

void WasapiCapture::Session::look(AudioSessions& sessions, bool told) {
  {
    const std::lock_guard lock(mutex_);
    asked_at_ = now();
  }
  // Windows is asked without the lock: its audio service can hang.
  const bool refresh = told || now() - sessions_at_ >= kSessionRefresh;
  bool answers = true;
  if (refresh) {
    answers = sessions.refresh();
    sessions_at_ = now();
  } else {
    sessions.read();
  }
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  asked_at_ = {};
  if (refresh) {
    service_lost_ = !answers;
    service_error_ = sessions.error();
    default_output_ = sessions.default_output();
    default_input_ = sessions.default_input();
    inputs_ = sessions.inputs();
  }
  sessions_ = sessions.sessions();
  for (const AudioSession& session : sessions_) {
    if (!session.metered) continue;
    float& peak = peaks_.try_emplace(session.serial, 0.0F).first->second;
    peak = std::max(peak, session.peak);
  }
  sessions.take_peaks();
  if (now() - processes_at_ >= kProcessRefresh) refresh_processes();
  evaluate();
  looked_ = true;
  looked_once_ = true;
}

void WasapiCapture::Session::refresh_processes() {
  snapshot_.refresh();
  std::vector<ProcessEntry> running = snapshot_.processes();
  // A process that has ended stays in Windows' list for as long as somebody holds its handle.
  std::erase_if(running, [&](const ProcessEntry& process) {
    const auto watched = watched_.find(process.pid);
    return watched != watched_.end() && watched->second.start_time == process.start_time &&
           watched->second.ended();
  });
  processes_.update(std::move(running));
  processes_at_ = now();
}

std::vector<StreamIdentity> WasapiCapture::Session::identities() const {
  // What can be taken is processes, with audio or without: sessions come only once audio starts.
  std::vector<StreamIdentity> streams;
  const std::int64_t own = current_process_id();
  for (const ProcessEntry& process : processes_.processes()) {
    StreamIdentity stream;
    stream.serial = static_cast<std::uint64_t>(process.pid);
    stream.kind = process.pid == own ? StreamKind::own : StreamKind::playback;
    stream.pid = process.pid;
    stream.lineage = processes_.lineage(process.pid);
    streams.push_back(std::move(stream));
  }
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    StreamIdentity stream;
    stream.serial = i;
    stream.kind = StreamKind::input;
    stream.node_name = inputs_[i].name;
    stream.is_default = inputs_[i].is_default;
    streams.push_back(std::move(stream));
  }
  return streams;
}

bool WasapiCapture::Session::is_identified(std::int64_t pid) const {
  // Without the time of its creation a process is not told from the next one with its PID, nor
  // its children from those of the one before.
  return std::ranges::none_of(processes_.lineage(pid), [](const ProcessEntry& one) {
    return one.start_time == 0 && one.pid > kLastOfSystem;
  });
}

std::vector<ProcessEntry> WasapiCapture::Session::playing_children() const {
  std::map<std::int64_t, ProcessEntry> children;
  const std::int64_t own = current_process_id();
  for (const AudioSession& session : sessions_) {
    const std::vector<ProcessEntry> line = processes_.lineage(session.pid);
    if (session.pid == own || std::ranges::find(line, own, &ProcessEntry::pid) == line.end())
      continue;
    children.emplace(session.pid, line.front());
  }
  const auto values = std::views::values(children);
  return {values.begin(), values.end()};
}

WasapiCapture::Session::Bound WasapiCapture::Session::trees_of(const Selector& selector,
                                                               Binding binding) const {
  Bound bound;
  if (selector.kind == SelectorKind::device) {
    for (const std::uint64_t index : binding.serials) {
      CaptureTarget target{CaptureTarget::Kind::endpoint, 0, 0, inputs_[index].id};
      if (!selector.channels.empty()) {
        target.left = selector.channels.front();
        target.right = selector.channels.back();
      }
      bound.targets.push_back(std::move(target));
    }
  } else {
    for (const std::uint64_t serial : binding.serials)
      bound.pids.insert(static_cast<std::int64_t>(serial));
  }
  if (selector.kind == SelectorKind::system) {
    // All but ourselves, who play nothing.
    const std::int64_t own = current_process_id();
    const ProcessEntry* const process = processes_.find(own);
    bound.targets.push_back(CaptureTarget{
        CaptureTarget::Kind::all_but_tree, own, process ? process->start_time : 0, {}});
    bound.own = playing_children();
    for (const ProcessEntry& child : bound.own) bound.pids.erase(child.pid);
  } else if (selector.kind != SelectorKind::device) {
    std::erase_if(bound.pids, [&](std::int64_t pid) {
      if (is_identified(pid)) return false;
      bound.unidentified.push_back(*processes_.find(pid));
      return true;
    });
    ProcessCover cover;
    if (selector.kind == SelectorKind::process) {
      cover = cover_with_trees(processes_, bound.pids);
    } else {
      std::set<std::int64_t> playing;
      for (const AudioSession& session : sessions_) playing.insert(session.pid);
      cover = cover_playing(processes_, bound.pids, playing);
      std::erase_if(bound.pids, [&](std::int64_t pid) { return !playing.contains(pid); });
      std::erase_if(bound.unidentified,
                    [&](const ProcessEntry& one) { return !playing.contains(one.pid); });
    }
    for (const ProcessEntry& root : cover.roots) {
      bound.targets.push_back(
          CaptureTarget{CaptureTarget::Kind::tree, root.pid, root.start_time, {}});
    }
    bound.roots = std::move(cover.roots);
    bound.entangled = std::move(cover.entangled);
  }
  std::ranges::sort(bound.targets);
  bound.binding = std::move(binding);
  return bound;
}

std::vector<WasapiCapture::Session::Bound> WasapiCapture::Session::bind(
    std::span<const Selector> selectors, const PinnedProcesses& pinned) const {
  std::vector<Binding> bindings = bind_sources(selectors, identities(), processes_, pinned);
  std::vector<Bound> bounds;
  for (std::size_t i = 0; i < selectors.size(); ++i)
    bounds.push_back(trees_of(selectors[i], std::move(bindings[i])));
  return bounds;
}

void WasapiCapture::Session::evaluate() {
  std::vector<Selector> selectors;
  selectors.reserve(sources_.size());
  for (const SourceControl& source : sources_) selectors.push_back(source.selector);
  pinned_.pin(selectors, processes_);
  std::vector<Bound> bounds = bind(selectors, pinned_);
  std::set<CaptureTarget> used;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    SourceControl& source = sources_[i];
    if (source.bound.targets != bounds[i].targets) source.bound_since = now();
    source.bound = std::move(bounds[i]);
    settle(source, used);
  }
  for (auto at = clients_.begin(); at != clients_.end();) {
    if (used.contains(at->first)) {
      ++at;
      continue;
    }
    retired_.push_back(std::move(at->second));
    at = clients_.erase(at);
  }
  watch_roots();
  update_states();
}

void WasapiCapture::Session::settle(SourceControl& source, std::set<CaptureTarget>& used) {
  for (auto at = source.taps.begin(); at != source.taps.end();) {
    if (std::ranges::binary_search(source.bound.targets, at->first)) {
      ++at;
      continue;
    }
    if (const auto client = clients_.find(at->first); client != clients_.end())
      client->second->detach(*at->second);
    source.free_taps.push_back(std::move(at->second));
    at = source.taps.erase(at);
  }
  for (const CaptureTarget& target : source.bound.targets) {
    used.insert(target);
    if (source.taps.contains(target)) continue;
    std::shared_ptr<Tap> tap;
    if (source.free_taps.empty()) {
      tap = source.source->add_tap();
      if (!tap) continue;  // 64 trees at once are as many as a source can have
    } else {
      tap = std::move(source.free_taps.back());
      source.free_taps.pop_back();
    }
    std::shared_ptr<CaptureClient>& client = clients_[target];
    try {
      // One client for all who want it: a second one of the same program can be silent.
      if (!client) client = std::make_shared<CaptureClient>(target);
    } catch (const Failure&) {
      clients_.erase(target);  // out of threads or events: the next look tries again
    }
    if (client && client->attach(tap)) {
      source.taps.emplace(target, std::move(tap));
    } else {
      source.free_taps.push_back(std::move(tap));
    }
  }
}

void WasapiCapture::Session::watch_roots() {
  std::map<std::int64_t, std::uint64_t> wanted;
  for (const SourceControl& source : sources_) {
    for (const ProcessEntry& root : source.bound.roots) wanted[root.pid] = root.start_time;
  }
  std::erase_if(watched_, [&](const auto& one) {
    const auto at = wanted.find(one.first);
    return at == wanted.end() || at->second != one.second.start_time;
  });
  for (const auto& [pid, start_time] : wanted) {
    if (watched_.contains(pid)) continue;
    WatchedProcess process{open_process(pid, SYNCHRONIZE), start_time};
    const std::optional<ProcessEntry> running = read_process(pid);
    if (!running || running->start_time != start_time) {
      // Another's by now: what is known is old. Its client sees that, too, and captures nothing.
      processes_at_ = {};
      continue;
    }
    watched_.emplace(pid, std::move(process));
  }
}

std::shared_ptr<Source> WasapiCapture::Session::add_source(std::string name, Selector selector,
                                                           std::uint32_t channels) {
  check_source(name, selector, channels);
  const std::lock_guard lock(mutex_);
  check_alive();
  check_room(sources_, name);
  SourceControl control;
  control.name = std::move(name);
  control.source =
      std::make_shared<MixedSource>(channels, options_.capacity_frames, options_.timeline_rate);
  control.selector = std::move(selector);
  control.bound_since = now();
  std::shared_ptr<Source> source = control.source;
  sources_.push_back(std::move(control));
  looked_ = false;
  SetEvent(changed_event_.get());
  return source;
}

void WasapiCapture::Session::remove_source(const std::string& name) {
  const std::lock_guard lock(mutex_);
  check_alive();
  const auto at = find_source(sources_, name);
  at->source->stop();
  at->source->set_absence(Cause::not_running);
  for (const auto& [target, tap] : at->taps) {
    if (const auto client = clients_.find(target); client != clients_.end())
      client->second->detach(*tap);
  }
  sources_.erase(at);
  // The worker lets go of the clients that are left over: to stop one may take a while.
  SetEvent(changed_event_.get());
}

// -- states

std::vector<const AudioSession*> WasapiCapture::Session::sessions_of(const Bound& bound) const {
  std::vector<const AudioSession*> found;
  for (const AudioSession& session : sessions_) {
    if (bound.pids.contains(session.pid)) found.push_back(&session);
  }
  return found;
}

StateFacts WasapiCapture::Session::told_facts(const SourceControl& source) const {
  const Bound& bound = source.bound;
  const bool device = source.selector.kind == SelectorKind::device;
  StateFacts facts;
  facts.backend_lost = service_lost();
  // Processes are bound, with audio or without.
  if (bound.binding.presence != Presence::not_running) facts.presence = Presence::bound;
  facts.refused =
      !device && bound.targets.empty() && !(bound.entangled.empty() && bound.unidentified.empty());
  const std::vector<const AudioSession*> sessions = sessions_of(bound);
  facts.has_stream = device || (!bound.targets.empty() && !sessions.empty());
  facts.playing =
      device || std::ranges::any_of(sessions, [](const auto* one) { return one->active; });
  facts.audible = device || std::ranges::any_of(sessions, [](const auto* one) {
                    return one->active && !one->muted && one->volume > 0;
                  });
  return facts;
}

StateFacts WasapiCapture::Session::state_facts(const SourceControl& source) const {
  StateFacts facts = told_facts(source);
  const HostTime time = now();
  bool long_silent = true;
  facts.open = source.bound.targets.empty();  // nothing is to be opened
  for (const CaptureTarget& target : source.bound.targets) {
    const auto at = clients_.find(target);
    if (at == clients_.end()) continue;
    const CaptureClient& client = *at->second;
    const LoopbackPackets& packets = client.packets();
    facts.opening = facts.opening || client.state() == CaptureClient::State::opening;
    if (client.state() != CaptureClient::State::running) continue;
    facts.open = true;
    const HostTime last = packets.last_received();
    if (last.count() == 0 || time - last > kDeliversWithin) continue;
    facts.delivers = true;
    facts.sounds = facts.sounds || packets.silent_run() == 0;
    const auto blind = static_cast<std::uint64_t>(
        std::chrono::duration<double>(kBlindAfter).count() * CaptureClient::kRate);
    long_silent = long_silent && packets.silent_run() > blind;
  }
  facts.fresh = time - source.bound_since < kStartsWithin;
  const std::vector<const AudioSession*> sessions = sessions_of(source.bound);
  const bool loud = std::ranges::any_of(sessions, [&](const AudioSession* session) {
    return session->active && !session->muted && session->volume > 0 &&
           session->last_loud.count() != 0 && time - session->last_loud < kLoudWithin;
  });
  facts.hidden = loud && long_silent;
  return facts;
}

void WasapiCapture::Session::update_states() {
  for (SourceControl& source : sources_) {
    source.state = source_state(state_facts(source));
    source.source->set_absence(absence_cause(source.state));
  }
}

std::string WasapiCapture::Session::shielded_text(const Bound& bound) const {
  std::vector<ProcessEntry> shielded = bound.roots;
  std::erase_if(shielded, [&](const ProcessEntry& root) {
    const auto watched = watched_.find(root.pid);
    return watched == watched_.end() || watched->second.handle;
  });
  if (shielded.empty()) return {};
  return listed(shielded) +
         " is shielded from other programs: if it runs as an administrator, run this one as one, "
         "too.";
}

std::string WasapiCapture::Session::service_failure() const {
  constexpr const char* kNoAnswer = "Windows' audio service does not answer";
  if (service_lost_) return failure_text(kNoAnswer, service_error_);
  return std::string(kNoAnswer) + " (no reply yet, Windows build " +
         std::to_string(windows_build()) + ")";
}

ReasonFacts WasapiCapture::Session::reason_facts(const SourceControl& source) const {
  const Bound& bound = source.bound;
  ReasonFacts facts;
  facts.system = AudioSystem::windows;
  facts.device = source.selector.kind == SelectorKind::device;
  facts.program_runs = !bound.pids.empty() && source.selector.kind != SelectorKind::system;
  facts.entangled = listed(bound.entangled);
  facts.unidentified = listed(bound.unidentified);
  facts.own = listed(bound.own);
  if (source.state == SourceState::backend_lost) facts.system_failure = service_failure();
  if (facts.device) {
    for (const AudioInput& input : inputs_) facts.inputs.push_back(input.name);
  }
  for (const CaptureTarget& target : bound.targets) {
    const auto client = clients_.find(target);
    if (client == clients_.end() || client->second->failure().empty()) continue;
    if (client->second->state() == CaptureClient::State::running) continue;
    facts.refusal = client->second->failure();
    facts.remedy = client->second->remedy();
    const std::string shielded = shielded_text(bound);
    if (!facts.remedy.empty() && !shielded.empty()) facts.remedy += " ";
    facts.remedy += shielded;
    break;
  }
  return facts;
}

SourceStatus WasapiCapture::Session::status_of(const SourceControl& source, bool previewed) const {
  SourceStatus status;
  status.state = source.state;
  ReasonFacts facts = reason_facts(source);
  facts.previewed = previewed;
  status.reason = state_reason(source.state, facts);
  status.pids = source.bound.binding.pids;
  const std::vector<const AudioSession*> sessions = sessions_of(source.bound);
  for (const ProcessEntry& root : source.bound.roots) {
    BoundStream stream;
    stream.serial = static_cast<std::uint64_t>(root.pid);
    stream.pid = root.pid;
    stream.program = root.executable;
    stream.state = "idle";
    bool all_muted = true;
    std::set<std::string> devices;
    for (const AudioSession* const session : sessions) {
      const std::vector<ProcessEntry> line = processes_.lineage(session->pid);
      if (std::ranges::none_of(line, [&](const auto& one) { return one.pid == root.pid; }))
        continue;
      if (stream.application_name.empty()) stream.application_name = session->name;
      if (session->active) stream.state = "running";
      all_muted = all_muted && session->muted;
      stream.muted = all_muted;
      devices.insert(session->endpoint);
    }
    stream.devices.assign(devices.begin(), devices.end());
    const std::map<std::uint64_t, Tie>& ties = source.bound.binding.ties;
    if (const auto tie = ties.find(stream.serial); tie != ties.end()) {
      stream.claim = tie->second.claim;
      stream.ancestor = tie->second.ancestor;
    }
    status.streams.push_back(std::move(stream));
  }
  for (const auto& [serial, claim] : source.bound.binding.left_out_by_claim) {
    const auto pid = static_cast<std::int64_t>(serial);
    if (std::ranges::find(sessions_, pid, &AudioSession::pid) == sessions_.end()) continue;
    const ProcessEntry* const process = processes_.find(pid);
    status.left_out.push_back({pid, process ? process->executable : "", claim});
  }
  for (const AudioInput& input : inputs_) {
    const bool taken = std::ranges::any_of(source.bound.targets, [&](const CaptureTarget& target) {
      return target.kind == CaptureTarget::Kind::endpoint && target.endpoint_id == input.id;
    });
    if (!taken) continue;
    BoundStream stream;
    stream.serial = input.serial;
    stream.program = input.name;
    stream.state = "running";
    stream.inputs = input.channels;
    // As CaptureClient does it.
    const bool by_number = !input.placed && input.channels > kTapChannels;
    const std::vector<std::string> positions(input.channels, by_number ? "AUX" : "");
    stream.taken = taken_inputs(source.selector.channels, positions);
    status.streams.push_back(std::move(stream));
  }
  return status;
}

SourceStatus WasapiCapture::Session::source_status(const std::string& name) {
  const std::lock_guard lock(mutex_);
  check_alive();
  const SourceControl& source = *find_source(sources_, name);
  if (hangs()) update_states();  // the watching thread, whose it is, waits
  SourceStatus status = status_of(source, false);
  status.name = source.name;
  status.packets = source.source->packets();
  return status;
}

std::vector<SourceStatus> WasapiCapture::Session::preview(const std::vector<Selector>& selectors) {
  const std::lock_guard lock(mutex_);
  check_alive();
  refresh_processes();
  PinnedProcesses pinned = pinned_;
  pinned.pin(selectors, processes_);
  std::vector<Bound> bounds = bind(selectors, pinned);
  std::vector<SourceStatus> found;
  for (std::size_t i = 0; i < selectors.size(); ++i) {
    SourceControl source;
    source.selector = selectors[i];
    source.bound = std::move(bounds[i]);
    source.state = looked_once_ ? told_state(told_facts(source)) : SourceState::backend_lost;
    found.push_back(status_of(source, true));
  }
  return found;
}

std::vector<StreamView> WasapiCapture::Session::streams() {
  const std::lock_guard lock(mutex_);
  check_alive();
  std::vector<StreamView> views;
  const std::int64_t own = current_process_id();
  for (const AudioSession& session : sessions_) {
    StreamView view;
    view.serial = session.serial;
    view.pid = session.pid;
    // Browsers play from a process of their own: the user knows the one at the top.
    const std::vector<ProcessEntry> line = processes_.lineage(session.pid);
    for (const ProcessEntry& process : line) {
      if (process.executable != line.front().executable) break;
      const ProcessEntry* const running = processes_.find(process.pid);
      if (!running || running->start_time != process.start_time) break;
      view.pid = process.pid;
    }
    if (!line.empty()) view.program = line.front().executable;
    view.application_name = session.name;
    view.kind = name_of(session.pid == own ? StreamKind::own : StreamKind::playback);
    view.state = session.active ? "running" : "idle";
    view.sink = session.endpoint;
    view.playing = session.active;
    view.muted = session.muted;
    if (!session.active)
      view.silence = state_reason(SourceState::paused, {.system = AudioSystem::windows});
    else if (session.muted || session.volume <= 0)
      view.silence = state_reason(SourceState::muted, {.system = AudioSystem::windows});
    view.volume = session.volume;
    view.volume_db = db_from_linear(session.volume);
    view.channels = session.channels;
    view.peak_db = std::numeric_limits<double>::quiet_NaN();
    if (const auto peak = peaks_.find(session.serial); peak != peaks_.end())
      view.peak_db = db_from_linear(peak->second);
    views.push_back(std::move(view));
  }
  peaks_.clear();
  for (const AudioInput& input : inputs_) {
    StreamView view;
    view.serial = input.serial;
    view.node_name = input.name;
    view.description = input.name;
    view.kind = name_of(StreamKind::input);
    view.state = "idle";
    view.peak_db = std::numeric_limits<double>::quiet_NaN();
    views.push_back(std::move(view));
  }
  std::ranges::sort(views, {}, &StreamView::serial);
  return views;
}

WasapiServer WasapiCapture::Session::server_info() {
  const std::lock_guard lock(mutex_);
  check_alive();
  WasapiServer info;
  info.connected = looked_once_ && !service_lost();
  if (!info.connected) info.failure = service_failure();
  info.build = windows_build();
  info.default_sink = default_output_;
  info.default_source = default_input_;
  bool all_realtime = true;
  for (const auto& [target, client] : clients_) {
    if (client->state() != CaptureClient::State::running) continue;
    ++info.clients;
    const LoopbackPackets& packets = client->packets();
    info.disbelieved += packets.disbelieved();
    info.own_clock = info.own_clock || packets.own_clock();
    all_realtime = all_realtime && client->realtime();
    if (packets.packets() == 0) continue;
    info.quantum = std::max(info.quantum, packets.last_frames());
    info.rate = CaptureClient::kRate;
  }
  info.realtime = info.clients > 0 && all_realtime;
  if (info.clients == 0) {
    info.realtime_refusal = "no capture is open";
  } else if (!all_realtime) {
    info.realtime_refusal = "Windows' multimedia scheduler (MMCSS) refused it";
  }
  return info;
}

bool WasapiCapture::Session::settled() const {
  if (!looked_) return false;
  return std::ranges::none_of(clients_, [](const auto& one) {
    return one.second->state() == CaptureClient::State::opening;
  });
}

bool WasapiCapture::Session::wait_until_running(std::chrono::milliseconds timeout) {
  const HostTime deadline = now() + timeout;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      check_alive();
      if (settled()) return true;
    }
    if (now() >= deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
}

// -- the public face

WasapiAvailability WasapiCapture::probe() {
  const std::uint32_t build = windows_build();
  if (build >= kOldestBuild) return {true, version_text(), ""};
  return {false, version_text(),
          "this Windows (build " + std::to_string(build) +
              ") cannot capture single programs: build " + std::to_string(kOldestBuild) +
              " or newer is needed"};
}

WasapiCapture::WasapiCapture(WasapiOptions options) : session_(std::make_shared<Session>(options)) {
  session_->start();
}
WasapiCapture::~WasapiCapture() {
  session_->stop();
}

std::shared_ptr<Source> WasapiCapture::add_source(std::string name, Selector selector,
                                                  std::uint32_t channels) {
  return session_->add_source(std::move(name), std::move(selector), channels);
}
bool WasapiCapture::wait_until_running(std::chrono::milliseconds timeout) {
  return session_->wait_until_running(timeout);
}
std::vector<StreamView> WasapiCapture::streams() {
  return session_->streams();
}
void WasapiCapture::remove_source(const std::string& name) {
  session_->remove_source(name);
}
SourceStatus WasapiCapture::source_status(const std::string& name) {
  return session_->source_status(name);
}
WasapiServer WasapiCapture::server_info() {
  return session_->server_info();
}
std::vector<SourceStatus> WasapiCapture::preview(const std::vector<Selector>& selectors) {
  return session_->preview(selectors);
}
void WasapiCapture::stop() noexcept {
  session_->stop();
}

}  // namespace pypac
