// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "core/spsc_ring.hpp"
#include "core/time.hpp"
#include "timeline/packet.hpp"

namespace pypac {

/// Whom an incident happened to.
enum class SubjectKind : std::uint32_t { source, track, output };

/// Stands for one source, track or output of a session, and is never given to another one.
using Ticket = std::uint32_t;

/// One stretch of the timeline that was not what it should be.
struct Incident {
  Cause cause{};
  Ticket ticket = 0;  // Ledger::open_account() gave it
  Frames begin = 0;
  Frames frames = 0;
};

/// What one source, track or output is going through now.
class LedgerAccount {
 public:
  explicit LedgerAccount(Ticket ticket) noexcept : ticket_(ticket) {}

  [[nodiscard]] Ticket ticket() const noexcept { return ticket_; }

  /// [any-thread, realtime-safe] Nothing more comes to it.
  [[nodiscard]] bool ended() const noexcept { return ended_.load(std::memory_order_acquire); }

  /// [any-thread] The incident that it is in now.
  [[nodiscard]] std::optional<Incident> open() const noexcept;

 private:
  friend class Ledger;

  void write(bool is_open, Cause cause, Frames begin, Frames frames) noexcept;

  const Ticket ticket_;
  // The pump writes, others read: a sequence lock. It is odd while the rest changes.
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<bool> is_open_{false};
  std::atomic<Cause> cause_{};
  std::atomic<Frames> begin_{0};
  std::atomic<Frames> frames_{0};
  std::atomic<bool> ended_{false};
};

/// The list of incidents, from the pump to the control thread.
///
/// Contiguous pieces of one account with one cause become one incident: silence [0, 480) and [480,
/// 960) with cause stalled is one of 960 frames. It is open while it may still grow; then it is
/// handed over. Where the control thread does not fetch them, the oldest are kept and the rest are
/// counted.
class Ledger {
 public:
  /// What there was no room to list, per cause.
  struct Unlisted {
    std::uint64_t incidents = 0;
    Frames frames = 0;
  };

  /// [control-thread] `brief` is how many frames of `stalled` may yet turn out to be the beginning
  /// of a pause.
  explicit Ledger(std::size_t capacity = 4096, Frames brief = 12'000);

  /// [control-thread] For one more subject, with the next ticket.
  [[nodiscard]] std::shared_ptr<LedgerAccount> open_account();

  /// [pump] Joins the account's open incident, or closes that and opens another.
  ///
  /// A program that ends or pauses first gives nothing, and only then is seen to have gone: an
  /// underrun, or a brief stall, takes the cause of the absence that it goes over into. Example:
  /// [0, 960) underrun, then [960, 48000) paused: one incident, paused.
  void add(LedgerAccount& account, Cause cause, Frames begin, Frames frames) noexcept;

  /// [pump] The account's frames just before `begin` are there: an incident that ended earlier is
  /// closed. One that reaches `begin` may still grow.
  void captured(LedgerAccount& account, Frames begin) noexcept;

  /// [pump] Nothing more comes to this account: closes what is open, and ends it. It does not reach
  /// beyond `end`.
  void close(LedgerAccount& account, Frames end) noexcept;

  /// [control-thread] The oldest closed incident.
  [[nodiscard]] std::optional<Incident> pop() noexcept;

  /// [any-thread, realtime-safe] Closed incidents of that cause that the full list refused.
  [[nodiscard]] Unlisted unlisted(Cause cause) const noexcept;

 private:
  struct Count {
    std::atomic<std::uint64_t> incidents{0};
    std::atomic<Frames> frames{0};
  };

  void close(LedgerAccount& account) noexcept;
  [[nodiscard]] bool becomes(Cause open, Frames frames, Cause next) const noexcept;

  Frames brief_;
  std::atomic<Ticket> next_ticket_{0};
  SpscRing<Incident> closed_;
  std::array<Count, static_cast<std::size_t>(Cause::count_)> unlisted_;
};

}  // namespace pypac
