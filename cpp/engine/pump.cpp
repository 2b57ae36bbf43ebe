// SPDX-License-Identifier: MIT
#include "engine/pump.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "core/flush_to_zero.hpp"
#include "core/status.hpp"
#include "core/thread_role.hpp"
#include "engine/track_meters.hpp"
#include "os/thread_priority.hpp"

namespace pypac {
namespace {
// Below the audio system's own threads (PipeWire: 83 to 88): the pump waits for them, not they for
// it.
constexpr int kPumpPriority = 60;
// How long the pump sleeps at a stretch, so that abort() is heard.
constexpr HostTime kLongestSleep = std::chrono::milliseconds(50);

const TrackChain* old_chain_of(const Plan::Track& track) noexcept {
  return track.old_chain ? &*track.old_chain : nullptr;
}

}  // namespace

Pump::Pump(const PumpOptions& options, HostClock& clock, Ledger& ledger)
    : options_(options), clock_(clock), ledger_(ledger) {
  anchor_.sample_rate = options.sample_rate;
}

Pump::~Pump() {
  abort();
  if (thread_.joinable()) thread_.join();
}

void Pump::publish(const Plan& plan) noexcept {
  PYPAC_ASSERT_NOT_REALTIME();
  newest_plan_.store(&plan, std::memory_order_seq_cst);
}

const Plan* Pump::in_use() const noexcept {
  PYPAC_ASSERT_NOT_REALTIME();
  // The pump announces a plan before it looks whether a newer one has come, so that a plan which is
  // neither announced nor the newest cannot be in use.
  return plan_in_use_.load(std::memory_order_seq_cst);
}

void Pump::set_timeline(const TimelineAnchor& anchor, std::uint32_t budget_frames) noexcept {
  PYPAC_ASSERT_NOT_REALTIME();
  assert(!started() && budget_frames % options_.block_frames == 0);
  anchor_ = anchor;
  budget_ = budget_frames;
}

void Pump::start() {
  PYPAC_ASSERT_NOT_REALTIME();
  started_.store(true, std::memory_order_release);
  thread_ = std::thread([this] { run(); });
}

void Pump::set_end(Frames end) noexcept {
  end_.store(std::max<Frames>(end, position()), std::memory_order_release);
}

void Pump::finish() noexcept {
  if (!started()) {
    set_end(0);
    return;
  }
  const auto heard = static_cast<Frames>(anchor_.position_of(clock_.now()));
  set_end(std::min(end_.load(std::memory_order_acquire), std::max<Frames>(heard, 0)));
}

bool Pump::wait_finished(std::chrono::nanoseconds timeout) {
  PYPAC_ASSERT_NOT_REALTIME();
  if (!finished()) finished_signal_.wait_for(timeout);
  if (!finished()) return false;
  if (thread_.joinable()) thread_.join();
  return true;
}

void Pump::abort() noexcept {
  abort_.store(true, std::memory_order_release);
}

std::string Pump::priority_refusal() const {
  const std::lock_guard lock(priority_mutex_);
  return priority_refusal_;
}

void Pump::run() {
  {
    ThreadPriority priority = raise_thread_priority(kPumpPriority);
    const std::lock_guard lock(priority_mutex_);
    priority_refusal_ = std::move(priority.refusal);
  }
  {
    const ScopedThreadRole role(ThreadRole::pump);
    const ScopedFlushToZero flush_to_zero;
    const HostTime latency =
        TimelineAnchor{HostTime(0), options_.sample_rate}.host_time_of(options_.latency_frames);
    while (!abort_.load(std::memory_order_acquire)) {
      const Frames begin = taken();
      const Frames rest = end_.load(std::memory_order_acquire) + budget_ - begin;
      if (rest <= 0) break;
      const HostTime due =
          anchor_.host_time_of(begin + std::min<Frames>(options_.block_frames, rest)) + latency;
      const HostTime now = clock_.now();
      if (now < due) {
        clock_.sleep_until(std::min(due, now + kLongestSleep));
        continue;
      }
      if ((now - due).count() > worst_lateness_.load(std::memory_order_relaxed))
        worst_lateness_.store((now - due).count(), std::memory_order_relaxed);
      process_block(begin,
                    static_cast<std::uint32_t>(std::min<Frames>(options_.block_frames, rest)));
    }
    end_outputs();
  }
  finished_signal_.notify();
}

void Pump::run_offline(Frames frames, const std::function<bool()>& interrupted) {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::lock_guard lock(offline_mutex_);
  const Frames end = position() + frames;
  while (position() < end && !abort_.load(std::memory_order_acquire)) {
    if (!wait_for_readers(interrupted)) return;
    const ScopedThreadRole role(ThreadRole::pump);
    const ScopedFlushToZero flush_to_zero;
    const Frames rest = end + budget_ - taken();
    process_block(taken(),
                  static_cast<std::uint32_t>(std::min<Frames>(options_.block_frames, rest)));
  }
}

bool Pump::wait_for_readers(const std::function<bool()>& interrupted) {
  constexpr int kLooksBetweenInterrupts = 50;
  const Plan* const plan = announce_newest_plan();
  for (const Plan::Output& output : plan->outputs) {
    for (int looks = 1; !output.sink->closed() && output.sink->room() < options_.block_frames;
         ++looks) {
      if (abort_.load(std::memory_order_acquire)) return false;
      if (looks % kLooksBetweenInterrupts == 0 && interrupted()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  return true;
}

void Pump::finish_offline() noexcept {
  PYPAC_ASSERT_NOT_REALTIME();
  abort_.store(true, std::memory_order_release);
  const std::lock_guard lock(offline_mutex_);
  if (finished()) return;
  const ScopedThreadRole role(ThreadRole::pump);
  end_outputs();
}

const Plan* Pump::announce_newest_plan() noexcept {
  const Plan* const before = plan_in_use_.load(std::memory_order_relaxed);
  const Plan* plan = newest_plan_.load(std::memory_order_seq_cst);
  for (;;) {
    plan_in_use_.store(plan, std::memory_order_seq_cst);
    const Plan* const newest = newest_plan_.load(std::memory_order_seq_cst);
    if (newest == plan) break;
    plan = newest;
  }
  if (plan != before)
    for (const auto& account : plan->closed_accounts) ledger_.close(*account, taken());
  return plan;
}

void Pump::process_block(Frames begin, std::uint32_t frames) noexcept {
  const Plan* const plan = announce_newest_plan();
  const HostTime until = anchor_.host_time_of(begin + frames + options_.latency_frames);
  for (const auto& source : plan->sources) source->process(begin, frames, until, ledger_);
  std::span<const Plan::Track> tracks = plan->tracks;
  for (const std::size_t count : plan->groups) {
    process_tracks(tracks.first(count), begin, frames);
    tracks = tracks.subspan(count);
  }
  meter_tracks(plan->tracks, frames);
  taken_.store(begin + frames, std::memory_order_release);
  // The first blocks only fill the delays.
  if (begin < budget_) return;
  for (const Plan::Output& output : plan->outputs) deliver(output, begin - budget_, frames);
  position_.store(begin + frames - budget_, std::memory_order_release);
}

void Pump::process_tracks(std::span<const Plan::Track> group, Frames begin,
                          std::uint32_t frames) noexcept {
  std::array<const Plan::Track*, FilterSlot::kMaxBank> mixed;
  std::array<TrackChain::Run, FilterSlot::kMaxBank> runs;
  std::size_t count = 0;
  for (const Plan::Track& track : group) {
    if (!mix(track, frames)) continue;
    mixed[count] = &track;
    runs[count++] = {&track.chain, track.node->mixed(track.chain, old_chain_of(track))};
  }
  TrackChain::filter_bank({runs.data(), count}, begin);
  for (std::size_t i = 0; i < count; ++i) {
    const Plan::Track& track = *mixed[i];
    track.node->finish(track.chain, old_chain_of(track), track.is_key, begin);
  }
  for (const Plan::Track& track : group) note(track, begin, frames);
}

/// False: the track's block is its source's as it stands.
bool Pump::mix(const Plan::Track& track, std::uint32_t frames) noexcept {
  TrackNode& node = *track.node;
  if (track.may_pass && track.sends[0].node->passes() && node.passes()) {
    track.sends[0].node->pass();
    node.pass(track.sends[0].source->block(), track.sends[0].source->meter());
    return false;
  }
  node.begin(frames);
  for (const Plan::Send& send : track.sends)
    node.send(send.source->block(), send.node->take(frames, send.leaving));
  return true;
}

void Pump::note(const Plan::Track& track, Frames begin, std::uint32_t frames) noexcept {
  TrackNode& node = *track.node;
  const bool old_is_heard = track.old_chain && !track.chain.lines->heard();
  const TrackChain& heard = old_is_heard ? *track.old_chain : track.chain;
  if (node.empty())
    list(node, track.removed ? Cause::track_removed : Cause::no_sources, begin, frames);
  else if (node.silenced() && begin >= budget_)  // the fader stands behind the delay
    list(node, Cause::track_muted, begin - budget_, frames);
  else if (const auto [at, late] = heard.late(begin); late > 0 && !node.silenced())
    list(node, Cause::filter_late, at, late);
  else if (!node.silenced())
    ledger_.captured(node.account(), begin + frames);
}

void Pump::list(TrackNode& node, Cause cause, Frames begin, Frames frames) noexcept {
  // Causes have places of their own along the way, some earlier than what was listed already.
  const Frames end = begin + frames;
  begin = std::max(begin, node.listed());
  if (begin >= end) return;
  node.set_listed(end);
  ledger_.add(node.account(), cause, begin, end - begin);
}

void Pump::deliver(const Plan::Output& output, Frames begin, std::uint32_t frames) noexcept {
  Sink& sink = *output.sink;
  if (sink.begin_block(begin, frames)) {
    for (std::size_t i = 0; i < output.tracks.size(); ++i)
      sink.write_track(i, output.tracks[i]->block().channels());
    sink.commit_block();
    if (const Frames lost = sink.take_lost(); lost > 0)
      ledger_.add(*output.account, Cause::output_overrun, begin, lost);
    ledger_.captured(*output.account, begin + frames);
  } else if (!sink.closed()) {
    ledger_.add(*output.account, Cause::output_overrun, begin, frames);
  }
}

void Pump::end_outputs() noexcept {
  const Plan* const plan = announce_newest_plan();
  for (const auto& source : plan->sources) ledger_.close(source->account(), position());
  for (const Plan::Track& track : plan->tracks) ledger_.close(track.node->account(), position());
  for (const Plan::Output& output : plan->outputs) ledger_.close(*output.account, position());
  finished_.store(true, std::memory_order_seq_cst);
  // An output that is added later than this plan sees finished_ and ends its own ring. One that
  // came meanwhile is in a newer plan.
  for (const Plan::Output& output : announce_newest_plan()->outputs) output.sink->finish();
}

}  // namespace pypac
