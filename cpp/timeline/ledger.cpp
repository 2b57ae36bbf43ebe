// SPDX-License-Identifier: MIT
#include "timeline/ledger.hpp"

#include <algorithm>
#include <cassert>

namespace pypac {

Ledger::Ledger(std::uint32_t sources, std::uint32_t outputs, std::size_t capacity, Frames brief)
    : sources_(sources), brief_(brief), open_(std::size_t{sources} + outputs), closed_(capacity) {}

std::size_t Ledger::index(SubjectKind kind, std::uint32_t subject) const noexcept {
  const std::size_t place = kind == SubjectKind::source ? subject : std::size_t{sources_} + subject;
  assert(place < open_.size());
  return place;
}

void Ledger::write(Open& open, bool is_open, Cause cause, Frames begin, Frames frames) noexcept {
  // The release stores keep the odd sequence before the values, and the values before the even one;
  // no fences, which the thread sanitizer does not understand.
  const std::uint64_t sequence = open.sequence.load(std::memory_order_relaxed);
  open.sequence.store(sequence + 1, std::memory_order_relaxed);
  open.is_open.store(is_open, std::memory_order_release);
  open.cause.store(cause, std::memory_order_release);
  open.begin.store(begin, std::memory_order_release);
  open.frames.store(frames, std::memory_order_release);
  open.sequence.store(sequence + 2, std::memory_order_release);
}

void Ledger::close(std::size_t index) noexcept {
  Open& open = open_[index];
  if (!open.is_open.load(std::memory_order_relaxed)) return;
  const bool is_source = index < sources_;
  Incident incident;
  incident.cause = open.cause.load(std::memory_order_relaxed);
  incident.subject_kind = is_source ? SubjectKind::source : SubjectKind::output;
  incident.subject = static_cast<std::uint32_t>(is_source ? index : index - sources_);
  incident.begin = open.begin.load(std::memory_order_relaxed);
  incident.frames = open.frames.load(std::memory_order_relaxed);
  if (!closed_.push(incident)) {
    Count& count = unlisted_[static_cast<std::size_t>(incident.cause)];
    count.incidents.fetch_add(1, std::memory_order_relaxed);
    count.frames.fetch_add(incident.frames, std::memory_order_relaxed);
  }
  write(open, false, incident.cause, incident.begin, incident.frames);
}

void Ledger::add(SubjectKind kind, std::uint32_t subject, Cause cause, Frames begin,
                 Frames frames) noexcept {
  const std::size_t place = index(kind, subject);
  Open& open = open_[place];
  if (open.is_open.load(std::memory_order_relaxed)) {
    const Frames open_begin = open.begin.load(std::memory_order_relaxed);
    const Frames open_frames = open.frames.load(std::memory_order_relaxed);
    const Cause open_cause = open.cause.load(std::memory_order_relaxed);
    const bool joins = open_cause == cause || becomes(open_cause, open_frames, cause);
    if (joins && begin == open_begin + open_frames) {
      write(open, true, cause, open_begin, open_frames + frames);
      return;
    }
    close(place);
  }
  write(open, true, cause, begin, frames);
}

bool Ledger::becomes(Cause open, Frames frames, Cause next) const noexcept {
  const bool left = next == Cause::paused || next == Cause::no_stream ||
                    next == Cause::not_running || next == Cause::backend_lost;
  if (open == Cause::underrun) return left || next == Cause::stalled;
  return open == Cause::stalled && left && frames <= brief_;
}

void Ledger::captured(SubjectKind kind, std::uint32_t subject, Frames begin) noexcept {
  const std::size_t place = index(kind, subject);
  const Open& open = open_[place];
  // A gap that was announced ahead of the frames being played stays open, and so does one that
  // reaches up to them and may go on.
  if (open.begin.load(std::memory_order_relaxed) + open.frames.load(std::memory_order_relaxed) >=
      begin)
    return;
  close(place);
}

void Ledger::close_all(Frames end) noexcept {
  for (std::size_t place = 0; place < open_.size(); ++place) {
    Open& open = open_[place];
    if (!open.is_open.load(std::memory_order_relaxed)) continue;
    const Frames begin = open.begin.load(std::memory_order_relaxed);
    const Frames frames =
        std::clamp<Frames>(end - begin, 0, open.frames.load(std::memory_order_relaxed));
    write(open, frames > 0, open.cause.load(std::memory_order_relaxed), begin, frames);
    close(place);
  }
}

std::optional<Incident> Ledger::pop() noexcept {
  const Incident* oldest = closed_.front();
  if (!oldest) return std::nullopt;
  const Incident incident = *oldest;
  closed_.pop();
  return incident;
}

std::optional<Incident> Ledger::open(SubjectKind kind, std::uint32_t subject) const noexcept {
  const Open& open = open_[index(kind, subject)];
  for (;;) {
    const std::uint64_t before = open.sequence.load(std::memory_order_acquire);
    Incident incident;
    const bool is_open = open.is_open.load(std::memory_order_acquire);
    incident.cause = open.cause.load(std::memory_order_acquire);
    incident.subject_kind = kind;
    incident.subject = subject;
    incident.begin = open.begin.load(std::memory_order_acquire);
    incident.frames = open.frames.load(std::memory_order_acquire);
    if (before % 2 != 0 || open.sequence.load(std::memory_order_relaxed) != before) continue;
    if (!is_open) return std::nullopt;
    return incident;
  }
}

Ledger::Unlisted Ledger::unlisted(Cause cause) const noexcept {
  const Count& count = unlisted_[static_cast<std::size_t>(cause)];
  return {count.incidents.load(std::memory_order_relaxed),
          count.frames.load(std::memory_order_relaxed)};
}

}  // namespace pypac
