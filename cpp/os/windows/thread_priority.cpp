// SPDX-License-Identifier: MIT
#include "os/thread_priority.hpp"

#include <windows.h>

#include <mutex>
#include <string>
#include <unordered_set>

#include "os/windows/wide_text.hpp"

namespace pypac {
namespace {

// Of 31: the least that the Multimedia Class Scheduler gives threads of its category "High", which
// "Pro Audio" is in.
constexpr int kProAudioPriority = 23;

/// The Multimedia Class Scheduler. A Windows without media features ("N", Server Core) may lack it,
/// so it is looked for when it is wanted.
class Scheduler {
 public:
  static const Scheduler& get() {
    static const Scheduler scheduler;
    return scheduler;
  }

  HANDLE(WINAPI* set)(LPCWSTR, LPDWORD) = nullptr;
  BOOL(WINAPI* revert)(HANDLE) = nullptr;

  [[nodiscard]] bool is_there() const noexcept { return set && revert; }

 private:
  Scheduler() {
    // Never unloaded: threads that end late still need it.
    const HMODULE library = LoadLibraryExW(L"avrt.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
    if (!library) return;
    find(library, "AvSetMmThreadCharacteristicsW", set);
    find(library, "AvRevertMmThreadCharacteristics", revert);
  }
  template <typename Function>
  static void find(HMODULE library, const char* name, Function& function) noexcept {
    function = reinterpret_cast<Function>(reinterpret_cast<void*>(GetProcAddress(library, name)));
  }
};

/// The threads that have the scheduler's priority now. Windows itself does not tell.
class RaisedThreads {
 public:
  static RaisedThreads& get() {
    static RaisedThreads& threads = *new RaisedThreads;  // threads may end after it
    return threads;
  }
  void add(DWORD thread) {
    const std::lock_guard lock(mutex_);
    threads_.insert(thread);
  }
  void remove(DWORD thread) noexcept {
    const std::lock_guard lock(mutex_);
    threads_.erase(thread);
  }
  [[nodiscard]] bool has(DWORD thread) {
    const std::lock_guard lock(mutex_);
    return threads_.contains(thread);
  }

 private:
  std::mutex mutex_;
  std::unordered_set<DWORD> threads_;
};

/// What the calling thread has from the scheduler: given back by the same thread, when it ends.
class Characteristics {
 public:
  ~Characteristics() {
    if (!task_) return;
    Scheduler::get().revert(task_);
    RaisedThreads::get().remove(GetCurrentThreadId());
  }
  Characteristics() = default;
  Characteristics(const Characteristics&) = delete;
  Characteristics& operator=(const Characteristics&) = delete;

  /// 0, or why it was refused.
  DWORD take() {
    if (task_) return 0;
    DWORD task_index = 0;
    task_ = Scheduler::get().set(L"Pro Audio", &task_index);
    if (!task_) return GetLastError();
    RaisedThreads::get().add(GetCurrentThreadId());
    return 0;
  }

 private:
  HANDLE task_ = nullptr;
};

thread_local Characteristics characteristics_of_this_thread;

ThreadPriority refused(const std::string& why) {
  return {false, 0, "real-time scheduling was refused" + why};
}

}  // namespace

std::int64_t current_thread_id() noexcept {
  return GetCurrentThreadId();
}

ThreadPriority thread_priority(std::int64_t thread_id) {
  if (RaisedThreads::get().has(static_cast<DWORD>(thread_id))) return {true, kProAudioPriority, {}};
  return refused({});
}

ThreadPriority raise_thread_priority(int priority) {
  static_cast<void>(priority);
  if (!Scheduler::get().is_there())
    return refused(": this Windows has no Multimedia Class Scheduler (avrt.dll)");
  const DWORD error = characteristics_of_this_thread.take();
  if (error != 0) return refused(" (" + error_text(error) + ")");
  return {true, kProAudioPriority, {}};
}

}  // namespace pypac
