// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "process_tree.hpp"
#include "script.hpp"
#include "session_state.hpp"
#include "sound.hpp"

namespace fake {

class Stream;

/// What a client captures.
struct Target {
  enum class Kind : std::uint8_t { tree, all_but_tree, render_endpoint, capture_endpoint };
  Kind kind = Kind::tree;
  Pid pid = 0;
  std::uint64_t created = 0;
  std::string endpoint;  // id
  std::string name;      // what the script's rules are matched with

  [[nodiscard]] bool is_process() const { return kind == Kind::tree || kind == Kind::all_but_tree; }
};

/// What a client hears now.
struct Mix {
  bool playing = false;  // somebody plays, be it unheard
  std::vector<Voice> voices;
};

/// Runs tasks in turn on a thread of its own, in a multithreaded apartment.
class Worker {
 public:
  using Task = std::function<void()>;
  void post(std::uint32_t delay_ms, Task task);
  /// Is this call made by one of the worker's tasks?
  [[nodiscard]] bool is_this_thread() const;
  /// Returns when all that was due has been done. Not from a task.
  void drain();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<std::int64_t, Task> tasks_;  // by when they are due
  bool started_ = false;
  bool busy_ = false;
  std::uint32_t thread_ = 0;
};

/// Told of sessions and endpoints that come, change and go; on the notification thread.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void session_created(const std::shared_ptr<SessionState>& session) = 0;
};

class EndpointWatcher {
 public:
  virtual ~EndpointWatcher() = default;
  virtual void endpoint_state(const std::string& id, const std::string& state) = 0;
  virtual void endpoint_added(const std::string& id) = 0;
  virtual void endpoint_removed(const std::string& id) = 0;
  virtual void default_changed(bool capture, const std::string& id) = 0;
};

/// The heart of the double: the processes, who of them plays, the sessions, the started streams;
/// its thread gives streams their packets. [any-thread]
class Engine {
 public:
  /// Starts the thread; the module stays loaded from then on.
  void run();

  /// Ends the thread: nobody plays any more.
  void end();

  /// Also forgets processes and counts: a test begins.
  void begin();

  void add(const std::shared_ptr<Stream>& stream);
  void remove(const Stream& stream);
  /// Is another client of the same processes and mode started?
  [[nodiscard]] bool is_second(const Stream& stream);

  /// A target as it is now, with its name.
  [[nodiscard]] Target process_target(Pid pid, bool except);

  [[nodiscard]] std::vector<std::shared_ptr<SessionState>> sessions(const std::string& endpoint);
  void watch(Watcher* watcher);
  void unwatch(Watcher* watcher);
  void watch(EndpointWatcher* watcher);
  void unwatch(EndpointWatcher* watcher);

  /// Calls a callback of the client, on a thread foreign to it; never, if the script says so.
  void notify(Worker::Task task);
  [[nodiscard]] bool in_notification() const { return notifications_.is_this_thread(); }
  /// Returns when the callbacks due have returned.
  void drain_notifications() { notifications_.drain(); }
  void later(std::uint32_t delay_ms, Worker::Task task) {
    activations_.post(delay_ms, std::move(task));
  }
  [[nodiscard]] bool in_activation() const { return activations_.is_this_thread(); }

  /// The rule for this activation. Counts it.
  [[nodiscard]] ActivateRule activation(const std::string& target);
  /// What the script has this call return: S_OK, or a failure. Counts it.
  [[nodiscard]] HRESULT called(const std::string& client, const char* method);

 private:
  struct Player {
    Process process;
    ProgramRule rule;
    std::vector<std::shared_ptr<SessionState>> sessions;  // one an endpoint
    bool sounds = false;
  };

  void work();
  void scan();  // under the lock
  void compare_endpoints(const Script& before, const Script& now);
  [[nodiscard]] Mix mix_of(const Target& target) const;  // under the lock

  std::mutex mutex_;
  bool running_ = false;
  std::atomic<bool> ending_{false};
  std::thread thread_;
  ProcessTree processes_;
  std::shared_ptr<const Script> script_;
  std::vector<Player> players_;
  std::vector<std::shared_ptr<SessionState>> sessions_;
  std::vector<std::shared_ptr<Stream>> streams_;
  std::vector<Watcher*> watchers_;
  std::vector<EndpointWatcher*> endpoint_watchers_;
  std::map<std::string, std::uint64_t> activations_seen_;
  std::mutex calls_mutex_;  // taken under a stream's
  std::map<std::string, std::uint64_t> calls_seen_;
  Worker notifications_;
  Worker activations_;
};

Engine& engine();

/// What an object of Windows' dies of with the audio service or its device: each later call of it,
/// and of those that were got from it, gives that, too. [any-thread]
class Life {
 public:
  /// As Engine::called.
  [[nodiscard]] HRESULT called(const std::string& client, const char* method);
  void die(HRESULT of) { died_of_ = of; }
  /// S_OK: it lives.
  [[nodiscard]] HRESULT died_of() const { return died_of_; }

 private:
  std::atomic<HRESULT> died_of_{S_OK};
};

/// The script's default endpoint of a kind; nullptr: none.
[[nodiscard]] const EndpointRule* default_endpoint(const Script& script, bool capture);
[[nodiscard]] std::wstring wide(std::string_view text);
[[nodiscard]] std::string narrow(const wchar_t* text);

}  // namespace fake
