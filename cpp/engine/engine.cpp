// SPDX-License-Identifier: MIT
#include "engine/engine.hpp"

#include <algorithm>
#include <utility>

#include "core/status.hpp"
#include "core/thread_role.hpp"
#include "os/thread_priority.hpp"

namespace pypac {
namespace {
// Below the audio system's own threads (PipeWire: 83 to 88): the pump waits for them, not they for
// it.
constexpr int kPumpPriority = 60;
// How long the pump sleeps at a stretch, so that abort() is heard.
constexpr HostTime kLongestSleep = std::chrono::milliseconds(50);
}  // namespace

Engine::Engine(const EngineOptions& options, HostClock& clock)
    : options_(options),
      clock_(clock),
      ledger_(options.max_sources, options.max_outputs, 4096, options.sample_rate / 4) {
  anchor_.sample_rate = options.sample_rate;
  edit([](Plan&) {});
}

Engine::~Engine() {
  abort();
  if (pump_.joinable()) pump_.join();
  for (const auto& source : plan()->sources) source->source().stop();
}

std::shared_ptr<const Plan> Engine::plan() const {
  const std::lock_guard lock(control_mutex_);
  return plans_.back();
}

std::string Engine::priority_refusal() const {
  const std::lock_guard lock(control_mutex_);
  return priority_refusal_;
}

template <typename Change>
void Engine::edit(const Change& change) {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::lock_guard lock(control_mutex_);
  auto next = plans_.empty() ? std::make_shared<Plan>() : std::make_shared<Plan>(*plans_.back());
  change(*next);
  newest_plan_.store(next.get(), std::memory_order_seq_cst);
  plans_.push_back(std::move(next));
  // The pump announces a plan before it looks whether a newer one has come, so that a plan which is
  // neither announced nor the newest cannot be in use.
  const Plan* const in_use = pump_plan_.load(std::memory_order_seq_cst);
  std::erase_if(plans_,
                [&](const auto& old) { return old != plans_.back() && old.get() != in_use; });
}

std::size_t Engine::add_source(const std::string& name, std::shared_ptr<Source> source) {
  std::size_t index = 0;
  edit([&](Plan& plan) {
    index = plan.sources.size();
    if (index == options_.max_sources)
      throw Failure(ErrorKind::invalid_argument, "too many sources in one session");
    plan.sources.push_back(std::make_shared<SourceNode>(name, static_cast<std::uint32_t>(index),
                                                        std::move(source), options_.sample_rate,
                                                        options_.block_frames));
  });
  return index;
}

std::size_t Engine::add_track(const std::string& name, std::uint32_t channels,
                              const std::vector<Plan::Send>& sends,
                              std::vector<std::unique_ptr<Filter>> filters) {
  std::size_t index = 0;
  edit([&](Plan& plan) {
    index = plan.tracks.size();
    for (const Plan::Send& send : sends)
      if (send.source >= plan.sources.size())
        throw Failure(ErrorKind::invalid_argument,
                      "the track " + name + " has a send from a source that does not exist");
    auto node = std::make_shared<TrackNode>(name, channels, std::move(filters),
                                            options_.sample_rate, options_.block_frames);
    const bool passes = sends.size() == 1 && sends[0].gain == 1.0F &&
                        node->passes(plan.sources[sends[0].source]->block());
    plan.tracks.push_back({std::move(node), sends, passes});
  });
  return index;
}

std::uint32_t Engine::add_sink(std::shared_ptr<Sink> sink, const std::vector<std::size_t>& tracks) {
  static_cast<void>(channels_of(tracks));
  std::uint32_t subject = 0;
  edit([&](Plan& plan) {
    subject = free_output_subject(plan);
    if (anchored_) sink->start(anchor_);
    plan.outputs.push_back({subject, sink, tracks});
  });
  if (finished_.load(std::memory_order_seq_cst)) sink->finish();
  return subject;
}

std::shared_ptr<ReaderRing> Engine::add_output(const std::vector<std::size_t>& tracks,
                                               std::uint32_t capacity_frames,
                                               std::uint32_t& subject) {
  auto ring =
      std::make_shared<ReaderRing>(channels_of(tracks), options_.block_frames, capacity_frames);
  subject = add_sink(ring, tracks);
  return ring;
}

std::vector<std::uint32_t> Engine::channels_of(const std::vector<std::size_t>& tracks) const {
  const std::shared_ptr<const Plan> now = plan();
  std::vector<std::uint32_t> channels;
  for (const std::size_t track : tracks) {
    if (track >= now->tracks.size())
      throw Failure(ErrorKind::invalid_argument, "an output names a track that does not exist");
    channels.push_back(now->tracks[track].node->channels());
  }
  return channels;
}

std::uint32_t Engine::free_output_subject(const Plan& plan) {
  // In turn, not the lowest: so that a late incident of a closed output is not taken for another's.
  for (std::uint32_t tries = 0; tries < options_.max_outputs; ++tries) {
    const std::uint32_t candidate = next_output_subject_++ % options_.max_outputs;
    if (std::none_of(plan.outputs.begin(), plan.outputs.end(),
                     [&](const Plan::Output& output) { return output.subject == candidate; }))
      return candidate;
  }
  throw Failure(ErrorKind::invalid_argument, "too many outputs at once in one session",
                "close some of them");
}

void Engine::remove_output(const Sink& sink) {
  edit([&](Plan& plan) {
    std::erase_if(plan.outputs,
                  [&](const Plan::Output& output) { return output.sink.get() == &sink; });
  });
}

void Engine::start_sources(HostTime origin) {
  {
    const std::lock_guard lock(control_mutex_);
    anchor_.origin = origin;
    anchored_ = true;
    for (const Plan::Output& output : plans_.back()->outputs) output.sink->start(anchor_);
  }
  for (const auto& source : plan()->sources) source->source().start(origin);
}

void Engine::start(HostTime origin) {
  if (pump_.joinable() || finished())
    throw Failure(ErrorKind::invalid_argument, "a session starts only once", "make a new one");
  start_sources(origin);
  started_.store(true, std::memory_order_release);
  pump_ = std::thread([this] { run(); });
}

void Engine::set_end(Frames end) noexcept {
  end_.store(std::max<Frames>(end, position()), std::memory_order_release);
}

void Engine::finish() noexcept {
  if (!started_.load(std::memory_order_acquire)) {
    set_end(0);
    return;
  }
  const auto heard = static_cast<Frames>(anchor_.position_of(clock_.now()));
  set_end(std::min(end_.load(std::memory_order_acquire), std::max<Frames>(heard, 0)));
}

bool Engine::wait_finished(std::chrono::nanoseconds timeout) {
  if (!finished()) finished_signal_.wait_for(timeout);
  if (!finished()) return false;
  if (pump_.joinable()) {
    pump_.join();
    for (const auto& source : plan()->sources) source->source().stop();
  }
  return true;
}

void Engine::abort() noexcept {
  abort_.store(true, std::memory_order_release);
}

void Engine::run() {
  {
    ThreadPriority priority = raise_thread_priority(kPumpPriority);
    const std::lock_guard lock(control_mutex_);
    priority_refusal_ = std::move(priority.refusal);
  }
  {
    const ScopedThreadRole role(ThreadRole::pump);
    const HostTime latency =
        TimelineAnchor{HostTime(0), options_.sample_rate}.host_time_of(options_.latency_frames);
    while (!abort_.load(std::memory_order_acquire)) {
      const Frames begin = position_.load(std::memory_order_relaxed);
      const Frames rest = end_.load(std::memory_order_acquire) - begin;
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

void Engine::run_offline(Frames frames, const std::function<bool()>& interrupted) {
  const std::lock_guard lock(offline_mutex_);
  if (pump_.joinable() || finished())
    throw Failure(ErrorKind::invalid_argument, "this session runs or ran already",
                  "make a new one");
  if (position() == 0) start_sources(HostTime(0));
  const Frames end = position() + frames;
  while (position() < end && !abort_.load(std::memory_order_acquire)) {
    if (!wait_for_readers(interrupted)) return;
    const ScopedThreadRole role(ThreadRole::pump);
    process_block(position(), static_cast<std::uint32_t>(
                                  std::min<Frames>(options_.block_frames, end - position())));
  }
}

bool Engine::wait_for_readers(const std::function<bool()>& interrupted) const {
  constexpr int kLooksBetweenInterrupts = 50;
  const std::shared_ptr<const Plan> now = plan();
  for (const Plan::Output& output : now->outputs) {
    for (int looks = 1; !output.sink->closed() && output.sink->room() < options_.block_frames;
         ++looks) {
      if (abort_.load(std::memory_order_acquire)) return false;
      if (looks % kLooksBetweenInterrupts == 0 && interrupted()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  return true;
}

void Engine::finish_offline() noexcept {
  abort_.store(true, std::memory_order_release);
  const std::lock_guard lock(offline_mutex_);
  if (finished()) return;
  const ScopedThreadRole role(ThreadRole::pump);
  end_outputs();
}

const Plan* Engine::announce_newest_plan() noexcept {
  const Plan* plan = newest_plan_.load(std::memory_order_seq_cst);
  for (;;) {
    pump_plan_.store(plan, std::memory_order_seq_cst);
    const Plan* const newest = newest_plan_.load(std::memory_order_seq_cst);
    if (newest == plan) return plan;
    plan = newest;
  }
}

void Engine::process_block(Frames begin, std::uint32_t frames) noexcept {
  const Plan* const plan = announce_newest_plan();
  const HostTime until = anchor_.host_time_of(begin + frames + options_.latency_frames);
  for (const auto& source : plan->sources) source->process(begin, frames, until, ledger_);
  for (const Plan::Track& track : plan->tracks) {
    if (track.passes) {
      const SourceNode& source = *plan->sources[track.sends[0].source];
      track.node->pass(source.block(), source.meter());
      continue;
    }
    track.node->begin(frames);
    for (const Plan::Send& send : track.sends)
      track.node->send(plan->sources[send.source]->block(), send.gain);
    track.node->finish();
  }
  for (const Plan::Output& output : plan->outputs) {
    if (output.sink->begin_block(begin, frames)) {
      for (std::size_t i = 0; i < output.tracks.size(); ++i)
        output.sink->write_track(i, plan->tracks[output.tracks[i]].node->block().channels());
      output.sink->commit_block();
      if (const Frames lost = output.sink->take_lost(); lost > 0)
        ledger_.add(SubjectKind::output, output.subject, Cause::output_overrun, begin, lost);
      ledger_.captured(SubjectKind::output, output.subject, begin + frames);
    } else if (!output.sink->closed()) {
      ledger_.add(SubjectKind::output, output.subject, Cause::output_overrun, begin, frames);
    }
  }
  position_.store(begin + frames, std::memory_order_release);
}

void Engine::end_outputs() noexcept {
  ledger_.close_all(position());
  finished_.store(true, std::memory_order_seq_cst);
  // An output that is added later than this plan sees finished_ and ends its own ring.
  for (const Plan::Output& output : announce_newest_plan()->outputs) output.sink->finish();
}

}  // namespace pypac
