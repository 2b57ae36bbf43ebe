// SPDX-License-Identifier: MIT
#include "os/linux/mapping_guard.hpp"

#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <mutex>

#include "core/status.hpp"
#include "core/thread_role.hpp"

namespace pypac {
namespace {

// Several sessions with 256 tracks each.
constexpr std::size_t kMostRanges = 1024;

using Range = MappingGuard::Range;

std::array<Range, kMostRanges>& ranges() noexcept {
  static std::array<Range, kMostRanges> all;
  return all;
}

struct sigaction previous {};

static_assert(std::atomic<std::uintptr_t>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free);

/// [any-thread, realtime-safe] In the signal's handler. False: the address is in no guarded range.
bool cover(std::uintptr_t address) noexcept {
  for (Range& range : ranges()) {
    const std::uintptr_t begin = range.begin.load(std::memory_order_acquire);
    const std::uintptr_t end = range.end.load(std::memory_order_relaxed);
    if (begin == 0 || address < begin || address >= end) continue;
    // Another thread that is here at the same moment covers it: this one tries again.
    if (range.lost.exchange(true, std::memory_order_acq_rel)) return true;
    // Not in POSIX's list of what a handler may call; on Linux it is the system call and no more.
    void* const memory = reinterpret_cast<void*>(begin);  // NOLINT(performance-no-int-to-ptr)
    return mmap(memory, end - begin, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
  }
  return false;
}

void pass_on(int number, siginfo_t* info, void* context) noexcept {
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(number, info, context);
    return;
  }
  const bool sent = info->si_code <= 0;  // by kill(), not by an instruction
  if (previous.sa_handler == SIG_IGN && sent) return;
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(number);
    return;
  }
  // The instruction fails again behind this, or the signal comes again, and then it counts.
  std::signal(number, SIG_DFL);
  if (sent) std::raise(number);
}

void on_bus_error(int number, siginfo_t* info, void* context) {
  const int error = errno;
  if (info->si_code != BUS_ADRERR || !cover(reinterpret_cast<std::uintptr_t>(info->si_addr)))
    pass_on(number, info, context);
  errno = error;
}

/// Once a process: a handler that is set later, and calls this one, must not be called by it.
void install() {
  static std::once_flag once;
  std::call_once(once, [] {
    static_cast<void>(ranges());
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, nullptr, &previous) != 0 || sigaction(SIGBUS, &action, nullptr) != 0)
      throw Failure(ErrorKind::output_failed, "bus errors cannot be handled", "", errno);
  });
}

std::mutex& taking() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace

MappingGuard::MappingGuard(std::byte* data, std::size_t size) {
  PYPAC_ASSERT_NOT_REALTIME();
  install();
  const std::lock_guard lock(taking());
  for (Range& range : ranges()) {
    if (range.begin.load(std::memory_order_relaxed) != 0) continue;
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    range.lost.store(false, std::memory_order_relaxed);
    range.end.store(begin + size, std::memory_order_relaxed);
    range.begin.store(begin, std::memory_order_release);
    range_ = &range;
    return;
  }
  throw Failure(ErrorKind::output_failed, "this program shares too many tracks",
                "share fewer tracks, or run fewer sessions in one program");
}

MappingGuard::~MappingGuard() {
  const std::lock_guard lock(taking());
  range_->begin.store(0, std::memory_order_release);
}

bool MappingGuard::lost() const noexcept {
  return range_->lost.load(std::memory_order_acquire);
}

}  // namespace pypac
