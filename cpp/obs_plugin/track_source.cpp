// SPDX-License-Identifier: GPL-2.0-or-later
#include "obs_plugin/track_source.hpp"

#include <exception>
#include <optional>
#include <string_view>
#include <utility>

#include "core/host_clock.hpp"
#include "obs_plugin/log.hpp"
#include "os/runtime_folder.hpp"

namespace pypac::obs_plugin {

namespace {

constexpr const char* kSession = "session";
constexpr const char* kTrack = "track";
constexpr const char* kChoice = "choice";

std::shared_ptr<Delivery> shared_delivery;  // set while nobody makes sources

struct Names {
  std::string session;
  std::string track;
};

/// Both names in one, or "" if one of them can't be.
std::string choice_of(const Names& names) {
  const auto session = file_name_of(names.session);
  const auto track = file_name_of(names.track);
  return session && track ? *session + '/' + *track : std::string();
}

std::optional<Names> names_of(std::string_view choice) {
  const auto slash = choice.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto session = name_of_file(choice.substr(0, slash));
  auto track = name_of_file(choice.substr(slash + 1));
  if (!session || !track) return std::nullopt;
  return Names{*std::move(session), *std::move(track)};
}

std::string label_of(const std::string& session, const std::string& track) {
  return track + " - " + session;
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

bool can_be_chosen(SharedTrackState state) {
  return state == SharedTrackState::starting || state == SharedTrackState::running;
}

}  // namespace

TrackSource::TrackSource(obs_source_t* source, obs_data_t* settings,
                         std::shared_ptr<Delivery> delivery)
    : source_(source),
      delivery_(std::move(delivery)),
      choice_(obs_data_get_string(settings, kChoice)) {
  update(settings);
}

TrackSource::~TrackSource() {
  delivery_->replace(feed_, nullptr);
}

void TrackSource::update(obs_data_t* settings) {
  const std::lock_guard lock(mutex_);
  Names names{obs_data_get_string(settings, kSession), obs_data_get_string(settings, kTrack)};
  const std::string_view choice = obs_data_get_string(settings, kChoice);
  if (choice != choice_) {
    if (auto chosen = names_of(choice)) names = *std::move(chosen);
  }
  std::string settled = choice_of(names);
  std::shared_ptr<TrackFeed> next = feed_;
  if (names.session.empty() || names.track.empty())
    next.reset();
  else if (!feed_ || feed_->session() != names.session || feed_->track() != names.track)
    next = std::make_shared<TrackFeed>(source_, names.session, names.track, delivery_->room());
  if (next != feed_) {
    delivery_->replace(feed_, next);
    feed_ = std::move(next);
  }
  choice_ = std::move(settled);
  obs_data_set_string(settings, kSession, names.session.c_str());
  obs_data_set_string(settings, kTrack, names.track.c_str());
  obs_data_set_string(settings, kChoice, choice_.c_str());
}

obs_properties_t* TrackSource::properties() const {
  const auto listed = list_shared_tracks(SystemClock().now());
  const std::lock_guard lock(mutex_);
  obs_properties_t* const page = obs_properties_create();
  obs_property_t* const list = obs_properties_add_list(
      page, kChoice, obs_module_text("Track"), OBS_COMBO_TYPE_LIST, OBS_COMBO_FORMAT_STRING);
  bool has_own = false;
  if (!feed_) obs_property_list_add_string(list, obs_module_text("NothingChosen"), "");
  for (const auto& one : listed) {
    const std::string choice = choice_of({one.session, one.track});
    const bool own = choice == choice_;
    if (!own && !can_be_chosen(one.state)) continue;
    has_own = has_own || own;
    obs_property_list_add_string(list, label_of(one.session, one.track).c_str(), choice.c_str());
  }
  if (feed_ && !has_own) {
    const std::string label = label_of(feed_->session(), feed_->track());
    obs_property_list_add_string(list, label.c_str(), choice_.c_str());
  }
  obs_properties_add_text(page, "state", state_in_words().c_str(), OBS_TEXT_INFO);
  return page;
}

std::string TrackSource::state_in_words() const {
  if (!feed_) return obs_module_text("State.unset");
  const SharedTrackState state = feed_->state();
  std::string text = obs_module_text((std::string("State.") + name_of(state)).c_str());
  if (state == SharedTrackState::running && feed_->lost() > 0)
    text += std::string(" ") + obs_module_text("Lost");
  replace_all(text, "{rate}", std::to_string(feed_->sample_rate()));
  replace_all(text, "{channels}", std::to_string(feed_->channels()));
  replace_all(text, "{lost}", std::to_string(feed_->lost()));
  replace_all(text, "{track}", feed_->track());
  replace_all(text, "{session}", feed_->session());
  return text;
}

namespace {

// What OBS calls. No exception may reach it.

const char* get_name(void*) {
  return obs_module_text("Kind");
}

void* create(obs_data_t* settings, obs_source_t* source) {
  try {
    if (!shared_delivery) return nullptr;
    return new TrackSource(source, settings, shared_delivery);
  } catch (const std::exception& error) {
    log(LOG_ERROR, "the source can't be made: %s", error.what());
    return nullptr;
  }
}

void destroy(void* data) {
  delete static_cast<TrackSource*>(data);
}

void update(void* data, obs_data_t* settings) {
  try {
    static_cast<TrackSource*>(data)->update(settings);
  } catch (const std::exception& error) {
    log(LOG_ERROR, "the source's settings can't be taken up: %s", error.what());
  }
}

obs_properties_t* get_properties(void* data) {
  if (data == nullptr) return obs_properties_create();
  try {
    return static_cast<TrackSource*>(data)->properties();
  } catch (const std::exception& error) {
    log(LOG_ERROR, "the source's properties can't be shown: %s", error.what());
    return obs_properties_create();
  }
}

}  // namespace

void register_track_source() {
  obs_source_info info{};
  info.id = "pypac_track";
  info.type = OBS_SOURCE_TYPE_INPUT;
  info.output_flags = OBS_SOURCE_AUDIO | OBS_SOURCE_DO_NOT_DUPLICATE;
  info.icon_type = OBS_ICON_TYPE_AUDIO_INPUT;
  info.get_name = get_name;
  info.create = create;
  info.destroy = destroy;
  info.update = update;
  info.get_properties = get_properties;
  obs_register_source(&info);
}

void set_delivery(std::shared_ptr<Delivery> delivery) {
  shared_delivery = std::move(delivery);
}

}  // namespace pypac::obs_plugin
