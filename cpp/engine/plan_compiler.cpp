// SPDX-License-Identifier: MIT
#include "engine/plan_compiler.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/decibels.hpp"
#include "core/status.hpp"
#include "core/thread_role.hpp"
#include "engine/track_order.hpp"

namespace pypac {
namespace {

// What a filter has to have heard before it is heard itself, where its state begins anew: longer
// than the release of a usual compressor.
constexpr double kWarmUpSeconds = 0.2;

[[noreturn]] void refuse(const std::string& message, const std::string& remedy = {}) {
  throw Failure(ErrorKind::invalid_argument, message, remedy);
}

template <typename Specs>
void check_ids(const Specs& specs, const std::string& what, std::size_t most) {
  std::set<std::string> ids;
  for (const auto& spec : specs)
    if (!ids.insert(spec.id).second) refuse("there are two " + what + "s with the name " + spec.id);
  if (ids.size() > most) refuse("a session has at most " + std::to_string(most) + " " + what + "s");
}

/// One compilation: the spec, what runs, and what comes of it.
class Compilation {
 public:
  Compilation(const FilterRegistry& filters, Ledger& ledger, const GraphSpec& spec,
              const Plan& previous, const CompilerOptions& options, bool running)
      : filters_(filters),
        ledger_(ledger),
        spec_(spec),
        previous_(previous),
        options_(options),
        running_(running),
        plan_(std::make_shared<Plan>()) {}

  CompiledPlan run() {
    check_ids(spec_.sources, "source", options_.max_sources);
    check_ids(spec_.tracks, "track", options_.max_tracks);
    if (spec_.outputs.size() > options_.max_outputs)
      refuse("too many outputs at once in one session", "close some of them");
    for (const SourceSpec& source : spec_.sources) add_source(source);
    std::vector<const TrackSpec*> ordered = in_order();
    for (const TrackSpec* track : ordered) add_track(*track);
    settle_latencies();
    for (const OutputSpec& output : spec_.outputs) add_output(output);
    keep_leaving_sources();
    settle_old_keys();
    plan_->group_tracks(options_.tracks_at_once);
    close_accounts();
    for (std::size_t i = 0; i < previous_.wanted_sources; ++i) {
      const std::string& id = previous_.sources[i]->id();
      if (plan_->source(id) != previous_.sources[i]) diff_.removed_sources.push_back(id);
    }
    for (const Plan::Track& track : previous_.tracks)
      if (!specified(track.node->id()) && !track.removed)
        diff_.removed_tracks.push_back(track.node->id());
    return {plan_, std::move(diff_), budget_, [values = std::move(values_)] {
              for (const auto& set : values) set();
            }};
  }

 private:
  /// A track on its way into the plan.
  struct Draft {
    std::vector<FilterSpec> filters;
    const Plan::Track* before = nullptr;
    std::uint32_t before_frames = 0;  // what is waited for ahead of its filters
    std::uint32_t latency = 0;        // of all of it
  };

  [[nodiscard]] bool specified(const std::string& track) const {
    return std::ranges::any_of(spec_.tracks, [&](const auto& one) { return one.id == track; });
  }

  void add_source(const SourceSpec& spec) {
    // One that is leaving comes back as it is: a feed has one reader.
    std::shared_ptr<SourceNode> node;
    for (const auto& old : previous_.sources)
      if (old->id() == spec.id && old->source() == spec.source) node = old;
    if (!node) {
      diff_.added_sources.push_back(spec.id);
      node = std::make_shared<SourceNode>(spec.id, ledger_.open_account(), spec.source,
                                          options_.sample_rate, options_.block_frames);
    }
    plan_->sources.push_back(std::move(node));
    ++plan_->wanted_sources;
  }

  [[nodiscard]] std::vector<const TrackSpec*> in_order() const {
    std::vector<TrackKeys> keys;
    for (const TrackSpec& track : spec_.tracks) {
      TrackKeys one{track.id, {}};
      for (const FilterSpec& filter : track.filters) {
        const PluginInfo& info = filters_.info(filter.kind);
        for (std::string& key : key_tracks(info, all_values(info, filter.params)))
          one.keys.push_back(std::move(key));
      }
      keys.push_back(std::move(one));
    }
    std::vector<const TrackSpec*> ordered;
    for (const std::size_t index : order_tracks(keys)) ordered.push_back(&spec_.tracks[index]);
    return ordered;
  }

  void add_track(const TrackSpec& spec) {
    check_track(spec);
    Draft draft;
    draft.before = previous_.track(spec.id);
    Plan::Track track;
    if (draft.before && draft.before->node->channels() == spec.channels) {
      track.node = draft.before->node;
      values_.push_back([node = track.node, gain = gain_from_db(spec.gain_db), muted = spec.muted] {
        node->set_gain(gain);
        node->set_muted(muted);
      });
    } else {
      if (draft.before) {
        for (const Plan::Output& output : previous_.outputs)
          if (std::ranges::find(output.tracks, draft.before->node) != output.tracks.end())
            refuse("the track " + spec.id + " can't have another number of channels while the " +
                       "session runs",
                   "Start the session anew.");
        draft.before = nullptr;
      }
      diff_.added_tracks.push_back(spec.id);
      track.node = std::make_shared<TrackNode>(spec.id, spec.channels, ledger_.open_account(),
                                               options_.sample_rate, options_.block_frames,
                                               gain_from_db(spec.gain_db), spec.muted);
    }
    const bool rerouted = add_sends(spec, draft.before, track);
    const bool refiltered = add_filters(spec, draft, track);
    if (draft.before && (rerouted || refiltered || draft.before->removed))
      diff_.changed_tracks.push_back(spec.id);
    plan_->tracks.push_back(std::move(track));
    drafts_.push_back(std::move(draft));
  }

  static void check_track(const TrackSpec& spec) {
    if (spec.channels < 1 || spec.channels > 8)
      refuse("the track " + spec.id + " must have 1 to 8 channels");
    check_ids(spec.filters, "filter", 64);
  }

  bool add_sends(const TrackSpec& spec, const Plan::Track* before, Plan::Track& track) {
    bool changed = false;
    std::set<const SendNode*> kept;
    for (const SendSpec& send : spec.sends) {
      const auto source = plan_->source(send.source);
      if (!source)
        refuse("the track " + spec.id +
               " has a send from a source that does not exist: " + send.source);
      std::shared_ptr<SendNode> node;
      if (before) {
        for (const Plan::Send& old : before->sends) {
          if (old.source != source || kept.contains(old.node.get())) continue;
          node = old.node;
          changed |= old.leaving;
          break;
        }
      }
      const float gain = gain_from_db(send.gain_db);
      if (node) {
        values_.push_back([node, gain] { node->set_gain(gain); });
      } else {
        changed = true;
        node = std::make_shared<SendNode>(options_.sample_rate, gain, !running_);
      }
      kept.insert(node.get());
      track.sends.push_back({source, std::move(node), false});
    }
    if (before) changed |= keep_leaving_sends(*before, kept, track);
    return changed;
  }

  static bool keep_leaving_sends(const Plan::Track& before, const std::set<const SendNode*>& kept,
                                 Plan::Track& track) {
    bool changed = false;
    for (const Plan::Send& old : before.sends) {
      if (kept.contains(old.node.get()) || (old.leaving && old.node->gone())) continue;
      changed |= !old.leaving;
      track.sends.push_back({old.source, old.node, true});
    }
    return changed;
  }

  /// The filters that stay keep their slots, new ones get theirs. Says whether any is another one.
  bool add_filters(const TrackSpec& spec, Draft& draft, Plan::Track& track) {
    draft.filters = spec.filters;
    if (!draft.before) {
      for (const FilterSpec& filter : spec.filters)
        track.chain.links.push_back({make_slot(spec, filter, true), {}, false});
      return !spec.filters.empty();
    }
    bool changed = false;
    const std::vector<TrackChain::Link>& old = draft.before->chain.links;
    std::set<const FilterSlot*> kept;
    for (const FilterSpec& filter : spec.filters) {
      std::shared_ptr<FilterSlot> slot = kept_slot(old, filter);
      if (slot) {
        set_slot(filter, slot);
        kept.insert(slot.get());
      } else {
        changed = true;
        slot = make_slot(spec, filter, !running_);
      }
      track.chain.links.push_back({std::move(slot), {}, false});
    }
    for (std::size_t i = 0; i < old.size(); ++i) {
      if (kept.contains(old[i].slot.get()) || (old[i].leaving && old[i].slot->gone())) continue;
      changed |= !old[i].leaving;
      // Where it was: behind what stood before it.
      auto at = track.chain.links.begin();
      for (std::size_t before = i; before-- > 0;) {
        const auto stands = std::ranges::find_if(
            track.chain.links, [&](const auto& link) { return link.slot == old[before].slot; });
        if (stands == track.chain.links.end()) continue;
        at = stands + 1;
        break;
      }
      track.chain.links.insert(at, {old[i].slot, {}, true});
    }
    return changed;
  }

  [[nodiscard]] std::shared_ptr<FilterSlot> make_slot(const TrackSpec& track,
                                                      const FilterSpec& filter,
                                                      bool faded_in) const {
    return std::make_shared<FilterSlot>(
        filter.id, filters_.create(filter.kind),
        SlotOptions{options_.sample_rate, track.channels, options_.block_frames}, filter.params,
        filter.bypassed, faded_in);
  }

  /// The slot that goes on for this filter; nullptr: there is none.
  [[nodiscard]] static std::shared_ptr<FilterSlot> kept_slot(
      const std::vector<TrackChain::Link>& old, const FilterSpec& filter) {
    for (const TrackChain::Link& link : old) {
      const PluginInfo& info = link.slot->info();
      if (link.slot->id() != filter.id || info.kind != filter.kind) continue;
      const std::vector<ParamValue> values = all_values(info, filter.params);
      const auto is_set = [&](std::size_t i) {
        const ParamInfo& param = info.params[i];
        return param.live || param.is_key() || values[i] == link.slot->values()[i];
      };
      bool stays = true;
      for (std::size_t i = 0; i < values.size(); ++i) stays = stays && is_set(i);
      if (stays) return link.slot;
    }
    return nullptr;
  }

  void set_slot(const FilterSpec& filter, const std::shared_ptr<FilterSlot>& slot) {
    values_.push_back([slot, filter, values = all_values(slot->info(), filter.params)] {
      for (std::size_t i = 0; i < values.size(); ++i)
        if (slot->info().params[i].live && !slot->info().params[i].is_key())
          slot->set(i, values[i]);
      slot->set_bypassed(filter.bypassed);
    });
  }

  /// Finds how late each track is, delays it to the budget, and begins a chain anew where it would
  /// have to jump.
  void settle_latencies() {
    for (std::size_t i = 0; i < plan_->tracks.size(); ++i) find_latency(i);
    std::uint32_t longest = 0;
    for (const Draft& draft : drafts_) longest = std::max(longest, draft.latency);
    if (options_.budget_frames) {
      budget_ = *options_.budget_frames;
    } else {
      const std::uint32_t block = options_.block_frames;
      budget_ = (longest + options_.headroom_frames + block - 1) / block * block;
    }
    for (std::size_t i = 0; i < plan_->tracks.size(); ++i) check_budget(i);
    for (std::size_t i = 0; i < plan_->tracks.size(); ++i) finish_chain(i);
  }

  void check_budget(std::size_t index) const {
    const std::uint32_t latency = drafts_[index].latency;
    if (latency <= budget_) return;
    const auto ms = [&](std::uint32_t frames) {
      return std::to_string((std::uint64_t{frames} * 1000 + options_.sample_rate - 1) /
                            options_.sample_rate);
    };
    refuse("the filters of " + plan_->tracks[index].node->id() + " take " + ms(latency) +
               " ms, and this session has " + ms(budget_) + " ms for filters, fixed at its start",
           "Start the session anew, or raise session.filter_headroom_ms before its start.");
  }

  void find_latency(std::size_t index) {
    Plan::Track& track = plan_->tracks[index];
    Draft& draft = drafts_[index];
    std::uint32_t sum = 0;
    std::uint32_t waits = 0;
    for (TrackChain::Link& link : track.chain.links) {
      if (link.leaving) continue;
      for (const std::string& key : keys_of(draft, *link.slot)) {
        const std::uint32_t key_latency = latency_of(key);
        if (key_latency > sum) waits = std::max(waits, key_latency - sum);
      }
      sum += link.slot->latency_frames();
    }
    draft.before_frames = waits;
    draft.latency = waits + sum;
  }

  [[nodiscard]] std::vector<std::string> keys_of(const Draft& draft, const FilterSlot& slot) const {
    const auto at =
        std::ranges::find_if(draft.filters, [&](const auto& one) { return one.id == slot.id(); });
    if (at == draft.filters.end()) return {};
    return key_tracks(slot.info(), all_values(slot.info(), at->params));
  }

  [[nodiscard]] std::uint32_t latency_of(const std::string& track) const {
    for (std::size_t i = 0; i < drafts_.size(); ++i)
      if (plan_->tracks[i].node->id() == track) return drafts_[i].latency;
    return 0;
  }

  void finish_chain(std::size_t index) {
    Plan::Track& track = plan_->tracks[index];
    const Draft& draft = drafts_[index];
    const std::uint32_t behind = budget_ - draft.latency;
    const ChainLines* const old = draft.before ? draft.before->chain.lines.get() : nullptr;
    const bool goes_on = old && old->before() == draft.before_frames && old->behind() == behind &&
                         in_place(draft.before->chain, track.chain);
    if (goes_on) {
      track.chain.lines = draft.before->chain.lines;
      if (draft.before->old_chain && !track.chain.lines->entered())
        track.old_chain = draft.before->old_chain;
    } else {
      begin_chain(track, draft, behind, old != nullptr && running_);
    }
    if (track.old_chain)
      for (const FilterSpec& filter : draft.filters)
        if (const auto slot = kept_slot(track.old_chain->links, filter)) set_slot(filter, slot);
    connect_keys(track, draft, goes_on);
    track.may_pass = track.chain.links.empty() && !track.old_chain && budget_ == 0 &&
                     track.sends.size() == 1 && !track.sends[0].leaving &&
                     track.sends[0].source->channels() == track.node->channels();
  }

  /// The slots with latency are the same, in the same order, and so is the order of what stays.
  [[nodiscard]] static bool in_place(const TrackChain& old, const TrackChain& now) {
    std::vector<const FilterSlot*> kept_before;
    std::vector<const FilterSlot*> kept_now;
    const auto has = [](const TrackChain& chain, const FilterSlot* slot) {
      return std::ranges::any_of(chain.links,
                                 [&](const auto& link) { return link.slot.get() == slot; });
    };
    for (const TrackChain::Link& link : old.links)
      if (has(now, link.slot.get()))
        kept_before.push_back(link.slot.get());
      else if (link.slot->latency_frames() > 0)
        return false;
    for (const TrackChain::Link& link : now.links) {
      if (link.leaving && link.slot->latency_frames() > 0) return false;
      if (has(old, link.slot.get()))
        kept_now.push_back(link.slot.get());
      else if (link.slot->latency_frames() > 0)
        return false;
    }
    return kept_before == kept_now;
  }

  void begin_chain(Plan::Track& track, const Draft& draft, std::uint32_t behind, bool fades) {
    std::optional<std::uint32_t> warm_up;
    if (fades) {
      const ChainLines& old = *draft.before->chain.lines;
      warm_up = budget_ + static_cast<std::uint32_t>(kWarmUpSeconds * options_.sample_rate);
      // What is heard goes on: a chain that was still waiting for its filters never was.
      const bool was_heard = !draft.before->old_chain || old.heard();
      track.old_chain = was_heard ? draft.before->chain : draft.before->old_chain;
      // The old chain keeps its slots: each has one place.
      std::vector<TrackChain::Link> links;
      for (const FilterSpec& filter : draft.filters) {
        const TrackSpec shape{
            .id = track.node->id(), .channels = track.node->channels(), .sends = {}, .filters = {}};
        links.push_back({make_slot(shape, filter, true), {}, false});
      }
      track.chain.links = std::move(links);
    } else {
      std::erase_if(track.chain.links, [](const auto& link) { return link.leaving; });
    }
    track.chain.lines =
        std::make_shared<ChainLines>(track.node->channels(), options_.sample_rate,
                                     options_.block_frames, draft.before_frames, behind, warm_up);
  }

  void connect_keys(Plan::Track& track, const Draft& draft, bool goes_on) {
    std::uint32_t time = draft.before_frames;
    for (TrackChain::Link& link : track.chain.links) {
      if (link.leaving) {
        link.keys = keys_before(draft, *link.slot);
        continue;
      }
      const std::vector<std::string> names = keys_of(draft, *link.slot);
      if (names.size() > TrackChain::kMaxKeys)
        refuse("the filter " + link.slot->id() + " of " + track.node->id() + " has over " +
               std::to_string(TrackChain::kMaxKeys) + " keys");
      const std::vector<TrackChain::Key> old =
          goes_on ? keys_before(draft, *link.slot) : std::vector<TrackChain::Key>{};
      for (const std::string& name : names) {
        const auto key = std::ranges::find_if(
            plan_->tracks, [&](const auto& one) { return one.node->id() == name; });
        key->is_key = true;
        link.keys.push_back(key_of(key->node, time - latency_of(name), old));
      }
      time += link.slot->latency_frames();
    }
  }

  [[nodiscard]] static std::vector<TrackChain::Key> keys_before(const Draft& draft,
                                                                const FilterSlot& slot) {
    if (draft.before)
      for (const TrackChain::Link& link : draft.before->chain.links)
        if (link.slot.get() == &slot) return link.keys;
    return {};
  }

  [[nodiscard]] TrackChain::Key key_of(const std::shared_ptr<TrackNode>& track, std::uint32_t delay,
                                       const std::vector<TrackChain::Key>& old) const {
    if (delay == 0) return {track, nullptr};
    for (const TrackChain::Key& one : old)
      if (one.track == track && one.line && one.line->delay == delay) return one;
    return {track, std::make_shared<KeyLine>(track->channels(), delay, options_.block_frames)};
  }

  void add_output(const OutputSpec& spec) {
    Plan::Output output{spec.id, nullptr, spec.sink, {}};
    for (const Plan::Output& old : previous_.outputs)
      if (old.sink == spec.sink) output.account = old.account;
    if (!output.account) output.account = ledger_.open_account();
    for (const std::string& track : spec.tracks) output.tracks.push_back(track_for(track));
    plan_->outputs.push_back(std::move(output));
  }

  /// A track that an output takes goes on as silence where it is no longer wanted.
  [[nodiscard]] std::shared_ptr<TrackNode> track_for(const std::string& id) {
    if (const Plan::Track* const track = plan_->track(id)) return track->node;
    const Plan::Track* const before = previous_.track(id);
    if (!before) refuse("an output names a track that does not exist: " + id);
    Plan::Track track;
    track.node = before->node;
    track.removed = true;
    keep_leaving_sends(*before, {}, track);
    track.chain = before->chain;
    std::erase_if(track.chain.links,
                  [](const auto& link) { return link.leaving && link.slot->gone(); });
    if (before->old_chain && !track.chain.lines->entered()) track.old_chain = before->old_chain;
    plan_->tracks.push_back(track);
    return track.node;
  }

  /// A source that is faded out is heard until then.
  void keep_leaving_sources() {
    for (const Plan::Track& track : plan_->tracks)
      for (const Plan::Send& send : track.sends)
        if (std::ranges::find(plan_->sources, send.source) == plan_->sources.end())
          plan_->sources.push_back(send.source);
  }

  /// What is faded out is steered until then, but by nothing that the plan does not have.
  void settle_old_keys() {
    const auto settle = [&](TrackChain& chain) {
      for (TrackChain::Link& link : chain.links) {
        std::erase_if(link.keys, [&](const TrackChain::Key& key) {
          const auto at = std::ranges::find_if(
              plan_->tracks, [&](const Plan::Track& one) { return one.node == key.track; });
          if (at != plan_->tracks.end()) at->is_key = true;
          return at == plan_->tracks.end();
        });
      }
    };
    for (Plan::Track& track : plan_->tracks) {
      settle(track.chain);
      if (track.old_chain) settle(*track.old_chain);
    }
  }

  void close_accounts() {
    const auto has_source = [&](const auto& node) {
      return std::ranges::find(plan_->sources, node) != plan_->sources.end();
    };
    // The pump may never have come to the plan that closed them first.
    for (const auto& account : previous_.closed_accounts)
      if (!account->ended()) plan_->closed_accounts.push_back(account);
    for (const auto& source : previous_.sources)
      if (!has_source(source)) close(source, source->account());
    for (const Plan::Track& track : previous_.tracks) {
      const Plan::Track* const now = plan_->track(track.node->id());
      if (!now || now->node != track.node) close(track.node, track.node->account());
    }
    for (const Plan::Output& output : previous_.outputs)
      if (std::ranges::none_of(plan_->outputs,
                               [&](const auto& one) { return one.account == output.account; }))
        plan_->closed_accounts.push_back(output.account);
  }

  template <typename Node>
  void close(const std::shared_ptr<Node>& node, LedgerAccount& account) {
    plan_->closed_accounts.emplace_back(node, &account);
  }

  const FilterRegistry& filters_;
  Ledger& ledger_;
  const GraphSpec& spec_;
  const Plan& previous_;
  const CompilerOptions& options_;
  const bool running_;
  std::shared_ptr<Plan> plan_;
  std::vector<Draft> drafts_;  // of plan_->tracks, but for the removed ones
  std::uint32_t budget_ = 0;
  PlanDiff diff_;
  std::vector<std::function<void()>> values_;
};

}  // namespace

CompiledPlan PlanCompiler::compile(const GraphSpec& spec, const Plan& previous,
                                   const CompilerOptions& options, bool running) const {
  PYPAC_ASSERT_NOT_REALTIME();
  return Compilation(filters_, ledger_, spec, previous, options, running).run();
}

}  // namespace pypac
