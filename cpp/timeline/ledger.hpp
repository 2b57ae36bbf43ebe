// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/spsc_ring.hpp"
#include "core/time.hpp"
#include "timeline/packet.hpp"

namespace pypac {

/// Whom an incident happened to.
enum class SubjectKind : std::uint32_t { source, output };

/// One stretch of the timeline that was not what it should be.
struct Incident {
  Cause cause{};
  SubjectKind subject_kind{};
  std::uint32_t subject = 0;  // the index in the plan
  Frames begin = 0;
  Frames frames = 0;
};

/// The list of incidents, from the pump to the control thread.
///
/// Contiguous pieces with one subject and cause become one incident: silence [0, 480) and [480,
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

  /// [control-thread] Allocates; nothing afterwards does. Subjects are 0 ... sources - 1 and
  /// 0 ... outputs - 1.
  /// `brief` is how many frames of `stalled` may yet turn out to be the beginning of a pause.
  Ledger(std::uint32_t sources, std::uint32_t outputs, std::size_t capacity = 4096,
         Frames brief = 12'000);

  /// [pump] Joins the subject's open incident, or closes that and opens another.
  ///
  /// A program that ends or pauses first gives nothing, and only then is seen to have gone: an
  /// underrun, or a brief stall, takes the cause of the absence that it goes over into. Example:
  /// [0, 960) underrun, then [960, 48000) paused: one incident, paused.
  void add(SubjectKind kind, std::uint32_t subject, Cause cause, Frames begin,
           Frames frames) noexcept;

  /// [pump] The subject's frames just before `begin` are there: an incident that ended earlier is
  /// closed. One that reaches `begin` may still grow.
  void captured(SubjectKind kind, std::uint32_t subject, Frames begin) noexcept;

  /// [pump] The session ends: closes all that are open; none reaches beyond `end`.
  void close_all(Frames end) noexcept;

  /// [control-thread] The oldest closed incident.
  [[nodiscard]] std::optional<Incident> pop() noexcept;

  /// [any-thread] The incident that the subject is in now.
  [[nodiscard]] std::optional<Incident> open(SubjectKind kind,
                                             std::uint32_t subject) const noexcept;

  /// [any-thread, realtime-safe] Closed incidents of that cause that the full list refused.
  [[nodiscard]] Unlisted unlisted(Cause cause) const noexcept;

 private:
  // The pump writes, others read: a sequence lock. `sequence` is odd while the rest changes.
  struct Open {
    std::atomic<std::uint64_t> sequence{0};
    std::atomic<bool> is_open{false};
    std::atomic<Cause> cause{};
    std::atomic<Frames> begin{0};
    std::atomic<Frames> frames{0};
  };
  struct Count {
    std::atomic<std::uint64_t> incidents{0};
    std::atomic<Frames> frames{0};
  };

  [[nodiscard]] std::size_t index(SubjectKind kind, std::uint32_t subject) const noexcept;
  void write(Open& open, bool is_open, Cause cause, Frames begin, Frames frames) noexcept;
  void close(std::size_t index) noexcept;

  [[nodiscard]] bool becomes(Cause open, Frames frames, Cause next) const noexcept;

  std::uint32_t sources_;
  Frames brief_;
  std::vector<Open> open_;  // sources, then outputs
  SpscRing<Incident> closed_;
  std::array<Count, static_cast<std::size_t>(Cause::count_)> unlisted_;
};

}  // namespace pypac
