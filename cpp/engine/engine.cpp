// SPDX-License-Identifier: MIT
#include "engine/engine.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "core/decibels.hpp"
#include "core/status.hpp"
#include "core/thread_role.hpp"

namespace pypac {
namespace {

// A chain warms up for 0.2 s and a budget, and is then faded over to.
constexpr int kLongestFadeMs = 2000;

template <typename Specs>
auto& find(Specs& specs, const std::string& id, const std::string& what) {
  const auto at = std::ranges::find_if(specs, [&](const auto& one) { return one.id == id; });
  if (at == specs.end())
    throw Failure(ErrorKind::invalid_argument, "there is no " + what + " with the name " + id);
  return *at;
}

/// Where a filter is: also in a chain that is heard until another one has come in. What had its
/// name there and is of another kind is another filter.
std::vector<const TrackChain::Link*> links_of(const Plan::Track& track, const std::string& filter) {
  std::vector<const TrackChain::Link*> links;
  const auto add = [&](const TrackChain& chain) {
    for (const TrackChain::Link& link : chain.links)
      if (!link.leaving && link.slot->id() == filter &&
          (links.empty() || links[0]->slot->info().kind == link.slot->info().kind))
        links.push_back(&link);
  };
  add(track.chain);
  if (track.old_chain) add(*track.old_chain);
  return links;
}

/// The filters of a track, as it has them now, that tell by how much they make it quieter.
template <typename Visit>
void for_each_reducer(const Plan::Track& track, const Visit& visit) {
  for (const TrackChain::Link& link : track.chain.links)
    if (!link.leaving && link.slot->info().reduces) visit(*link.slot);
}

}  // namespace

Engine::Engine(const EngineOptions& options, const FilterRegistry& filters, HostClock& clock)
    : options_(options),
      ledger_(4096, options.sample_rate / 4),
      compiler_(filters, ledger_),
      pump_({options.sample_rate, options.block_frames, options.latency_frames}, clock, ledger_) {
  plans_.push_back(std::make_shared<const Plan>());
  pump_.publish(*plans_.back());
}

Engine::~Engine() {
  abort();
  while (pump_.started() && !pump_.wait_finished(std::chrono::seconds(1))) {
  }
  stop_sources();
}

std::shared_ptr<const Plan> Engine::plan() const {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::lock_guard lock(control_mutex_);
  return plans_.back();
}

std::uint32_t Engine::budget_frames() const {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::lock_guard lock(control_mutex_);
  return budget_frames_.value_or(0);
}

template <typename Change>
PlanDiff Engine::edit(const Change& change) {
  PYPAC_ASSERT_NOT_REALTIME();
  wait_for_fades();
  const std::lock_guard lock(control_mutex_);
  GraphSpec next = spec_;
  change(next);
  PlanDiff diff = publish(next);
  spec_ = std::move(next);
  return diff;
}

PlanDiff Engine::publish(const GraphSpec& next) {
  CompilerOptions options;
  options.sample_rate = options_.sample_rate;
  options.block_frames = options_.block_frames;
  options.max_sources = options_.max_sources;
  options.max_outputs = options_.max_outputs;
  options.headroom_frames = options_.headroom_frames;
  options.tracks_at_once = options_.tracks_at_once;
  options.budget_frames = budget_frames_;
  const Plan& previous = *plans_.back();
  CompiledPlan compiled =
      compiler_.compile(next, previous, options, pump_.started() || pump_.taken() > 0);
  if (!next.tracks.empty()) budget_frames_ = compiled.budget_frames;
  const Plan& plan = *compiled.plan;
  for (const auto& source : plan.sources)
    subjects_.try_emplace(source->account().ticket(), Subject{SubjectKind::source, source->id()});
  for (const Plan::Track& track : plan.tracks)
    subjects_.try_emplace(track.node->account().ticket(),
                          Subject{SubjectKind::track, track.node->id()});
  for (const Plan::Output& output : plan.outputs) {
    const bool is_new =
        subjects_.try_emplace(output.account->ticket(), Subject{SubjectKind::output, output.id})
            .second;
    if (is_new && anchored_) output.sink->start(pump_.anchor());
  }
  if (anchored_) start_new_sources(plan);
  compiled.set_values();
  plans_.push_back(compiled.plan);
  pump_.publish(plan);
  free_plans();
  return std::move(compiled.diff);
}

void Engine::wait_for_fades() {
  // A chain that is being faded in has no other one to be faded over to; one that is not heard yet
  // just gives up its place. Not under the lock: values are to be set meanwhile.
  const auto comes_in = [](const Plan::Track& track) {
    const ChainLines& lines = *track.chain.lines;
    return track.old_chain && lines.heard() && !lines.entered();
  };
  for (int waited_ms = 0; pump_.started() && !pump_.finished() && waited_ms < kLongestFadeMs;
       ++waited_ms) {
    if (std::ranges::none_of(plan()->tracks, comes_in)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Engine::free_plans() {
  const Plan* const in_use = pump_.in_use();
  std::erase_if(plans_,
                [&](const auto& old) { return old != plans_.back() && old.get() != in_use; });
  // What no plan has any longer gets no more frames.
  std::erase_if(started_sources_, [&](const std::shared_ptr<Source>& source) {
    const bool is_used = std::ranges::any_of(plans_, [&](const auto& plan) {
      return std::ranges::any_of(plan->sources,
                                 [&](const auto& node) { return node->source() == source; });
    });
    if (!is_used) source->stop();
    return !is_used;
  });
}

void Engine::collect() {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::lock_guard lock(control_mutex_);
  if (plans_.back()->has_faded()) publish(spec_);
  free_plans();
}

PlanDiff Engine::apply(std::vector<SourceSpec> sources, std::vector<TrackSpec> tracks) {
  return edit([&](GraphSpec& spec) {
    spec.sources = std::move(sources);
    spec.tracks = std::move(tracks);
  });
}

const Plan::Track& Engine::find_track(const std::string& track) const {
  const Plan::Track* const found = plans_.back()->track(track);
  if (found) return *found;
  throw Failure(ErrorKind::invalid_argument, "there is no track with the name " + track);
}

TrackSpec& Engine::spec_of(const std::string& track) {
  return find(spec_.tracks, track, "track");
}

void Engine::set_track_gain(const std::string& track, double gain_db) {
  const std::lock_guard lock(control_mutex_);
  spec_of(track).gain_db = gain_db;
  plans_.back()->track(track)->node->set_gain(gain_from_db(gain_db));
}

void Engine::set_track_muted(const std::string& track, bool muted) {
  const std::lock_guard lock(control_mutex_);
  spec_of(track).muted = muted;
  plans_.back()->track(track)->node->set_muted(muted);
}

void Engine::set_send_gain(const std::string& track, const std::string& source, double gain_db) {
  const std::lock_guard lock(control_mutex_);
  TrackSpec& spec = spec_of(track);
  const auto at =
      std::ranges::find_if(spec.sends, [&](const SendSpec& one) { return one.source == source; });
  if (at == spec.sends.end())
    throw Failure(ErrorKind::invalid_argument, "nothing is sent from " + source + " to " + track);
  at->gain_db = gain_db;
  for (const Plan::Send& send : plans_.back()->track(track)->sends)
    if (!send.leaving && send.source->id() == source) send.node->set_gain(gain_from_db(gain_db));
}

void Engine::set_filter(const std::string& track, const std::string& filter,
                        const std::string& param, const ParamValue& value) {
  const auto change = [&](GraphSpec& spec) {
    find(find(spec.tracks, track, "track").filters, filter, "filter of " + track).params[param] =
        value;
  };
  if (set_live(track, filter, param, value, change)) return;
  edit(change);
}

template <typename Change>
bool Engine::set_live(const std::string& track, const std::string& filter, const std::string& param,
                      const ParamValue& value, const Change& change) {
  const std::lock_guard lock(control_mutex_);
  const Plan::Track* const planned = plans_.back()->track(track);
  if (!planned) return false;
  bool is_set = false;
  for (const TrackChain::Link* const link : links_of(*planned, filter)) {
    const std::size_t index = param_index(link->slot->info(), param);
    const ParamInfo& info = link->slot->info().params[index];
    // Other keys are another plan, and what is not live is another filter.
    if (!info.live || info.is_key()) return false;
    const ParamValue checked = checked_value(link->slot->info(), info, value);
    if (!is_set) change(spec_);
    link->slot->set(index, checked);
    is_set = true;
  }
  return is_set;
}

void Engine::set_filter_bypassed(const std::string& track, const std::string& filter,
                                 bool bypassed) {
  const std::lock_guard lock(control_mutex_);
  find(spec_of(track).filters, filter, "filter of " + track).bypassed = bypassed;
  for (const TrackChain::Link* const link : links_of(*plans_.back()->track(track), filter))
    link->slot->set_bypassed(bypassed);
}

Ticket Engine::add_sink(const std::string& id, std::shared_ptr<Sink> sink,
                        const std::vector<std::string>& tracks) {
  edit([&](GraphSpec& spec) { spec.outputs.push_back({id, sink, tracks}); });
  if (finished()) sink->finish();
  return ticket_of(*sink);
}

Ticket Engine::replace_sink(Sink& old, const std::string& id, std::shared_ptr<Sink> sink,
                            const std::vector<std::string>& tracks) {
  edit([&](GraphSpec& spec) {
    const auto at = std::ranges::find_if(
        spec.outputs, [&](const OutputSpec& one) { return one.sink.get() == &old; });
    if (at == spec.outputs.end())
      throw Failure(ErrorKind::invalid_argument, "the output to be replaced is none");
    *at = {id, sink, tracks};
  });
  wait_for_newest_plan();
  old.finish();
  if (finished()) sink->finish();
  return ticket_of(*sink);
}

void Engine::wait_for_newest_plan() const {
  const std::shared_ptr<const Plan> newest = plan();
  // The pump takes up none but the newest, so that any other than now is that, or newer.
  const Plan* const now = pump_.in_use();
  while (now != newest.get() && pump_.started() && !pump_.finished() && pump_.in_use() == now)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

Ticket Engine::ticket_of(const Sink& sink) const {
  const std::shared_ptr<const Plan> now = plan();
  for (const Plan::Output& output : now->outputs)
    if (output.sink.get() == &sink) return output.account->ticket();
  throw Failure(ErrorKind::invalid_argument, "the output was removed at once");
}

void Engine::remove_output(const Sink& sink) {
  edit([&](GraphSpec& spec) {
    std::erase_if(spec.outputs, [&](const OutputSpec& one) { return one.sink.get() == &sink; });
  });
}

std::vector<std::uint32_t> Engine::channels_of(const std::vector<std::string>& tracks) const {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::lock_guard lock(control_mutex_);
  std::vector<std::uint32_t> channels;
  channels.reserve(tracks.size());
  for (const std::string& track : tracks) channels.push_back(find_track(track).node->channels());
  return channels;
}

void Engine::start_sources(HostTime origin) {
  const std::lock_guard lock(control_mutex_);
  if (!budget_frames_) {
    const std::uint32_t block = options_.block_frames;
    budget_frames_ = (options_.headroom_frames + block - 1) / block * block;
  }
  pump_.set_timeline({origin, options_.sample_rate}, budget_frames_.value_or(0));
  anchored_ = true;
  for (const Plan::Output& output : plans_.back()->outputs) output.sink->start(pump_.anchor());
  for (const auto& node : plans_.back()->sources)
    if (started_sources_.insert(node->source()).second) node->source()->start(origin);
}

void Engine::start_new_sources(const Plan& plan) {
  for (const auto& node : plan.sources)
    if (started_sources_.insert(node->source()).second)
      node->source()->join(pump_.anchor().origin, pump_.taken());
}

void Engine::stop_sources() {
  const std::lock_guard lock(control_mutex_);
  for (const auto& source : started_sources_) source->stop();
  started_sources_.clear();
}

void Engine::start(HostTime origin) {
  PYPAC_ASSERT_NOT_REALTIME();
  if (pump_.started() || finished())
    throw Failure(ErrorKind::invalid_argument, "a session starts only once", "make a new one");
  start_sources(origin);
  pump_.start();
}

bool Engine::wait_finished(std::chrono::nanoseconds timeout) {
  if (!pump_.wait_finished(timeout)) return false;
  stop_sources();
  return true;
}

void Engine::run_offline(Frames frames, const std::function<bool()>& interrupted) {
  PYPAC_ASSERT_NOT_REALTIME();
  if (pump_.started() || finished())
    throw Failure(ErrorKind::invalid_argument, "this session runs or ran already",
                  "make a new one");
  if (!anchored_) start_sources(HostTime(0));
  pump_.run_offline(frames, interrupted);
}

Engine::Subject Engine::subject_of(Ticket ticket) const {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::lock_guard lock(control_mutex_);
  const auto at = subjects_.find(ticket);
  if (at == subjects_.end())
    throw Failure(ErrorKind::invalid_argument, "no subject has that ticket");
  return at->second;
}

Engine::LevelLayout Engine::level_layout() const {
  const std::shared_ptr<const Plan> now = plan();
  LevelLayout layout;
  for (std::size_t i = 0; i < now->wanted_sources; ++i)
    layout.sources.push_back(now->sources[i]->id());
  for (const Plan::Track& track : now->tracks) layout.tracks.push_back(track.node->id());
  for (const Plan::Track& track : now->tracks)
    for_each_reducer(track, [&](const FilterSlot& slot) {
      layout.reducers.push_back({track.node->id(), slot.id()});
    });
  return layout;
}

std::size_t Engine::levels(std::span<float> values) const {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::shared_ptr<const Plan> now = plan();
  std::size_t count = 0;
  const auto add = [&](const auto&... numbers) {
    const auto add_one = [&](float number) {
      if (count < values.size()) values[count] = number;
      ++count;
    };
    (add_one(numbers), ...);
  };
  const auto add_meter = [&](const Meter& meter) {
    add(meter.peak(), meter.rms(), meter.max_peak());
  };
  for (std::size_t i = 0; i < now->wanted_sources; ++i) add_meter(now->sources[i]->meter());
  for (const Plan::Track& track : now->tracks) {
    add_meter(track.node->meter());
    const LoudnessValues loudness = track.node->loudness().values();
    add(loudness.true_peak, loudness.max_true_peak, loudness.momentary, loudness.short_term,
        loudness.integrated, loudness.range, loudness.max_momentary, loudness.max_short_term);
  }
  for (const Plan::Track& track : now->tracks)
    for_each_reducer(track, [&](const FilterSlot& slot) { add(slot.reduction_db()); });
  return count;
}

std::vector<Engine::Reduction> Engine::reductions(const std::string& track) const {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::lock_guard lock(control_mutex_);
  std::vector<Reduction> all;
  for_each_reducer(find_track(track), [&](const FilterSlot& slot) {
    all.push_back({slot.id(), slot.reduction_db()});
  });
  return all;
}

void Engine::restart_loudness(const std::optional<std::string>& track) {
  PYPAC_ASSERT_NOT_REALTIME();
  const std::lock_guard lock(control_mutex_);
  if (track) {
    find_track(*track).node->loudness().restart();
    return;
  }
  for (const Plan::Track& one : plans_.back()->tracks) one.node->loudness().restart();
}

}  // namespace pypac
