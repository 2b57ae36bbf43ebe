// SPDX-License-Identifier: MIT
#include "timeline/ledger.hpp"

#include <algorithm>

#include "core/thread_role.hpp"

namespace pypac {

void LedgerAccount::write(bool is_open, Cause cause, Frames begin, Frames frames) noexcept {
  // The release stores keep the odd sequence before the values, and the values before the even one;
  // no fences, which the thread sanitizer does not understand.
  const std::uint64_t sequence = sequence_.load(std::memory_order_relaxed);
  sequence_.store(sequence + 1, std::memory_order_relaxed);
  is_open_.store(is_open, std::memory_order_release);
  cause_.store(cause, std::memory_order_release);
  begin_.store(begin, std::memory_order_release);
  frames_.store(frames, std::memory_order_release);
  sequence_.store(sequence + 2, std::memory_order_release);
}

std::optional<Incident> LedgerAccount::open() const noexcept {
  for (;;) {
    const std::uint64_t before = sequence_.load(std::memory_order_acquire);
    const bool is_open = is_open_.load(std::memory_order_acquire);
    const Incident incident{cause_.load(std::memory_order_acquire), ticket_,
                            begin_.load(std::memory_order_acquire),
                            frames_.load(std::memory_order_acquire)};
    if (before % 2 != 0 || sequence_.load(std::memory_order_relaxed) != before) continue;
    if (!is_open) return std::nullopt;
    return incident;
  }
}

Ledger::Ledger(std::size_t capacity, Frames brief) : brief_(brief), closed_(capacity) {}

std::shared_ptr<LedgerAccount> Ledger::open_account() {
  PYPAC_ASSERT_NOT_REALTIME();
  return std::make_shared<LedgerAccount>(next_ticket_.fetch_add(1, std::memory_order_relaxed));
}

void Ledger::close(LedgerAccount& account) noexcept {
  if (!account.is_open_.load(std::memory_order_relaxed)) return;
  const Incident incident{account.cause_.load(std::memory_order_relaxed), account.ticket_,
                          account.begin_.load(std::memory_order_relaxed),
                          account.frames_.load(std::memory_order_relaxed)};
  if (!closed_.push(incident)) {
    Count& count = unlisted_[static_cast<std::size_t>(incident.cause)];
    count.incidents.fetch_add(1, std::memory_order_relaxed);
    count.frames.fetch_add(incident.frames, std::memory_order_relaxed);
  }
  account.write(false, incident.cause, incident.begin, incident.frames);
}

void Ledger::add(LedgerAccount& account, Cause cause, Frames begin, Frames frames) noexcept {
  if (account.is_open_.load(std::memory_order_relaxed)) {
    const Frames open_begin = account.begin_.load(std::memory_order_relaxed);
    const Frames open_frames = account.frames_.load(std::memory_order_relaxed);
    const Cause open_cause = account.cause_.load(std::memory_order_relaxed);
    const bool joins = open_cause == cause || becomes(open_cause, open_frames, cause);
    if (joins && begin == open_begin + open_frames) {
      account.write(true, cause, open_begin, open_frames + frames);
      return;
    }
    close(account);
  }
  account.write(true, cause, begin, frames);
}

bool Ledger::becomes(Cause open, Frames frames, Cause next) const noexcept {
  const bool left = next == Cause::paused || next == Cause::no_stream ||
                    next == Cause::not_running || next == Cause::backend_lost;
  if (open == Cause::underrun) return left || next == Cause::stalled;
  return open == Cause::stalled && left && frames <= brief_;
}

void Ledger::captured(LedgerAccount& account, Frames begin) noexcept {
  // A gap that was announced ahead of the frames being played stays open, and so does one that
  // reaches up to them and may go on.
  if (account.begin_.load(std::memory_order_relaxed) +
          account.frames_.load(std::memory_order_relaxed) <
      begin)
    close(account);
}

void Ledger::close(LedgerAccount& account, Frames end) noexcept {
  account.ended_.store(true, std::memory_order_release);
  if (!account.is_open_.load(std::memory_order_relaxed)) return;
  const Frames begin = account.begin_.load(std::memory_order_relaxed);
  const Frames frames =
      std::clamp<Frames>(end - begin, 0, account.frames_.load(std::memory_order_relaxed));
  account.write(frames > 0, account.cause_.load(std::memory_order_relaxed), begin, frames);
  close(account);
}

std::optional<Incident> Ledger::pop() noexcept {
  PYPAC_ASSERT_NOT_REALTIME();
  const Incident* oldest = closed_.front();
  if (!oldest) return std::nullopt;
  const Incident incident = *oldest;
  closed_.pop();
  return incident;
}

Ledger::Unlisted Ledger::unlisted(Cause cause) const noexcept {
  const Count& count = unlisted_[static_cast<std::size_t>(cause)];
  return {count.incidents.load(std::memory_order_relaxed),
          count.frames.load(std::memory_order_relaxed)};
}

}  // namespace pypac
