// SPDX-License-Identifier: MIT
#include "capture/wasapi/wasapi_watcher.hpp"

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include "capture/source_names.hpp"
#include "capture/source_state.hpp"
#include "capture/wasapi/com.hpp"
#include "capture/wasapi/session_status.hpp"
#include "capture/wasapi/windows_version.hpp"
#include "core/host_clock.hpp"
#include "core/status.hpp"
#include "os/windows/ms_until.hpp"

namespace pypac {
namespace {

using namespace std::chrono_literals;

// Processes start without an event.
constexpr HostTime kProcessRefresh = 250ms;
// A safety net: changes of sessions and endpoints are told by events.
constexpr HostTime kSessionRefresh = 1s;
constexpr HostTime kMeterTick = 50ms;
// An audio service that has not answered for so long hangs.
constexpr HostTime kAnswersWithin = 5s;
constexpr HostTime kStartsWithin = 1s;
// WaitForMultipleObjects takes no more.
constexpr std::size_t kMaxHandles = 64;

HostTime now() {
  return SystemClock().now();
}

}  // namespace

WasapiCapture::Watcher::Watcher(WasapiOptions options) : options_(options) {
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

void WasapiCapture::Watcher::start() {
  try {
    worker_ = std::thread([self = shared_from_this()] { self->run(); });
  } catch (const std::system_error& error) {
    throw Failure(ErrorKind::backend_unavailable, "Windows gives no thread for the capture", "",
                  error.code().value());
  }
}

void WasapiCapture::Watcher::stop() noexcept {
  std::vector<std::shared_ptr<CaptureClient>> clients;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
    for (CapturedSource& source : sources_) source.source->stop();
    clients = clients_.take_all();
  }
  SetEvent(stop_event_.get());
  bool worker_ended = true;
  stop_together(clients, options_.stop_time, [&](HostTime deadline) {
    if (!worker_.joinable()) return;
    // An audio service that hangs must not hang us: the worker then ends by itself, and owns this.
    worker_ended = WaitForSingleObject(ended_event_.get(), ms_until(deadline)) == WAIT_OBJECT_0;
    if (worker_ended)
      worker_.join();
    else
      worker_.detach();
  });
  // Else it looks at them once more.
  if (worker_ended) watched_.clear();
}

void WasapiCapture::Watcher::check_alive() const {
  if (stopped_) throw Failure(ErrorKind::not_running, "the capture has been stopped");
}

// -- the worker

void WasapiCapture::Watcher::run() noexcept {
  watch();
  SetEvent(ended_event_.get());
}

void WasapiCapture::Watcher::watch() noexcept {
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

void WasapiCapture::Watcher::stop_retired() {
  if (retired_.empty()) return;
  const std::vector<std::shared_ptr<CaptureClient>> retired = std::exchange(retired_, {});
  // While this thread waits, nothing new is bound.
  stop_together(retired, options_.stop_time, [](HostTime) {});
  const std::lock_guard lock(mutex_);
  clients_.keep_ending(retired);
}

std::vector<HANDLE> WasapiCapture::Watcher::handles_to_wait_for() const {
  const std::lock_guard lock(mutex_);
  std::vector<HANDLE> handles{stop_event_.get(), changed_event_.get()};
  watched_.add_handles(handles, kMaxHandles);
  return handles;
}

void WasapiCapture::Watcher::look(AudioSessions& sessions, bool told) {
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
    seen_.inputs = sessions.inputs();
  }
  seen_.sessions = sessions.sessions();
  for (const AudioSession& session : seen_.sessions) {
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

void WasapiCapture::Watcher::refresh_processes() {
  snapshot_.refresh();
  std::vector<ProcessEntry> running = snapshot_.processes();
  // A process that has ended stays in Windows' list for as long as somebody holds its handle.
  std::erase_if(running, [&](const ProcessEntry& one) { return watched_.has_ended(one); });
  seen_.processes.update(std::move(running));
  processes_at_ = now();
}

// -- sources

std::shared_ptr<Source> WasapiCapture::Watcher::add_source(std::string name, Selector selector,
                                                           std::uint32_t channels) {
  check_source(name, selector, channels);
  const std::lock_guard lock(mutex_);
  check_alive();
  check_room(sources_, name);
  auto source =
      std::make_shared<MixedSource>(channels, options_.capacity_frames, options_.timeline_rate);
  sources_.push_back({std::move(name), std::move(selector), source});
  sources_.back().bound_since = now();
  looked_ = false;
  SetEvent(changed_event_.get());
  return source;
}

void WasapiCapture::Watcher::remove_source(const std::string& name) {
  const std::lock_guard lock(mutex_);
  check_alive();
  const auto at = find_source(sources_, name);
  at->source->stop();
  at->source->set_absence(Cause::not_running);
  clients_.detach(at->taps);
  sources_.erase(at);
  // The worker lets go of the clients that are left over: to stop one may take a while.
  SetEvent(changed_event_.get());
}

void WasapiCapture::Watcher::evaluate() {
  std::vector<Selector> selectors;
  selectors.reserve(sources_.size());
  for (const CapturedSource& source : sources_) selectors.push_back(source.selector);
  pinned_.pin(selectors, seen_.processes);
  std::vector<Bound> bounds = bind_trees(selectors, seen_, pinned_);
  std::set<CaptureTarget> used;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    CapturedSource& source = sources_[i];
    if (source.bound.targets != bounds[i].targets) source.bound_since = now();
    source.bound = std::move(bounds[i]);
    clients_.settle(source.bound.targets, *source.source, source.taps);
    used.insert(source.bound.targets.begin(), source.bound.targets.end());
  }
  for (auto& client : clients_.take_unused(used)) retired_.push_back(std::move(client));
  watch_roots();
  update_states();
}

void WasapiCapture::Watcher::watch_roots() {
  std::map<std::int64_t, std::uint64_t> wanted;
  for (const CapturedSource& source : sources_) {
    for (const ProcessEntry& root : source.bound.roots) wanted[root.pid] = root.start_time;
  }
  // Where one is another's by now, what is known is old: look at once. Its client sees that, too,
  // and captures nothing.
  if (!watched_.watch(wanted)) processes_at_ = {};
}

// -- states

StateFacts WasapiCapture::Watcher::state_facts(const CapturedSource& source) const {
  StateFacts facts = told_facts(seen_, source.selector, source.bound);
  facts.backend_lost = service_lost();
  clients_.add_facts(source.bound.targets, facts);
  const HostTime time = now();
  facts.fresh = time - source.bound_since < kStartsWithin;
  facts.hidden = is_loud(seen_, source.bound, time) && clients_.long_silent(source.bound.targets);
  return facts;
}

void WasapiCapture::Watcher::update_states() {
  for (CapturedSource& source : sources_) {
    source.state = source_state(state_facts(source));
    source.source->set_absence(absence_cause(source.state));
  }
}

ReasonFacts WasapiCapture::Watcher::reason_facts(const CapturedSource& source) const {
  ReasonFacts facts = told_reason(seen_, source.selector, source.bound);
  if (source.state == SourceState::backend_lost) facts.system_failure = service_failure();
  if (const CaptureClient* const client = clients_.refused(source.bound.targets)) {
    facts.refusal = client->failure();
    facts.remedy = client->remedy();
    const std::string shielded = shielded_text(source.bound);
    if (!facts.remedy.empty() && !shielded.empty()) facts.remedy += " ";
    facts.remedy += shielded;
  }
  return facts;
}

std::string WasapiCapture::Watcher::shielded_text(const Bound& bound) const {
  std::vector<ProcessEntry> shielded = bound.roots;
  std::erase_if(shielded, [&](const ProcessEntry& root) { return !watched_.is_shielded(root); });
  if (shielded.empty()) return {};
  return listed(shielded) +
         " is shielded from other programs: if it runs as an administrator, run this one as one, "
         "too.";
}

bool WasapiCapture::Watcher::hangs() const {
  return asked_at_.count() != 0 && now() - asked_at_ > kAnswersWithin;
}

std::string WasapiCapture::Watcher::service_failure() const {
  constexpr const char* kNoAnswer = "Windows' audio service does not answer";
  if (service_lost_) return failure_text(kNoAnswer, service_error_);
  return std::string(kNoAnswer) + " (no reply yet, Windows build " +
         std::to_string(windows_build()) + ")";
}

// -- what other threads ask for

SourceStatus WasapiCapture::Watcher::source_status(const std::string& name) {
  const std::lock_guard lock(mutex_);
  check_alive();
  const CapturedSource& source = *find_source(sources_, name);
  if (hangs()) update_states();  // the watching thread, whose it is, waits
  SourceStatus status = binding_status(seen_, source.selector, source.bound);
  status.name = name;
  status.state = source.state;
  status.reason = state_reason(source.state, reason_facts(source));
  status.packets = source.source->packets();
  return status;
}

std::vector<SourceStatus> WasapiCapture::Watcher::preview(const std::vector<Selector>& selectors) {
  const std::lock_guard lock(mutex_);
  check_alive();
  refresh_processes();
  PinnedProcesses pinned = pinned_;
  pinned.pin(selectors, seen_.processes);
  const std::vector<Bound> bounds = bind_trees(selectors, seen_, pinned);
  std::vector<SourceStatus> found;
  for (std::size_t i = 0; i < selectors.size(); ++i) {
    SourceStatus status = binding_status(seen_, selectors[i], bounds[i]);
    StateFacts facts = told_facts(seen_, selectors[i], bounds[i]);
    facts.backend_lost = service_lost() || !looked_once_;
    status.state = told_state(facts);
    ReasonFacts reason = told_reason(seen_, selectors[i], bounds[i]);
    reason.previewed = true;
    reason.system_failure = service_failure();
    status.reason = state_reason(status.state, reason);
    found.push_back(std::move(status));
  }
  return found;
}

std::vector<StreamView> WasapiCapture::Watcher::streams() {
  const std::lock_guard lock(mutex_);
  check_alive();
  return stream_views(seen_, std::exchange(peaks_, {}));
}

WasapiServer WasapiCapture::Watcher::server_info() {
  const std::lock_guard lock(mutex_);
  check_alive();
  WasapiServer info;
  info.connected = looked_once_ && !service_lost();
  if (!info.connected) info.failure = service_failure();
  info.build = windows_build();
  info.default_sink = default_output_;
  info.default_source = default_input_;
  clients_.describe(info);
  return info;
}

bool WasapiCapture::Watcher::wait_until_running(std::chrono::milliseconds timeout) {
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

}  // namespace pypac
