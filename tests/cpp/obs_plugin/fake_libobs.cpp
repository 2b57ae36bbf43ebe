// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake_libobs.hpp"

#include <util/text-lookup.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>

namespace {

std::mutex everything;  // what the fake itself keeps
std::string logged;
std::vector<std::string> missing;
obs_source_info kind{};
std::atomic<long> living{0};
std::atomic<long> misused{0};
std::atomic<std::uint64_t> round_begin{0};
std::atomic<long> listeners{0};
std::atomic<bool> monitored{false};

}  // namespace

struct obs_data {
  std::map<std::string, std::string> values;
};

struct obs_weak_source {
  std::atomic<long> strong{1};
  std::atomic<long> weak{1};  // the source itself holds one
  obs_source* source = nullptr;
};

struct obs_source {
  obs_source() { ++living; }
  ~obs_source() { --living; }

  std::mutex lock;  // of settings and outputs, as libobs has several
  obs_data settings;
  std::vector<pypac::test::fake_obs::Output> outputs;
  obs_weak_source* control = nullptr;
  void* data = nullptr;
  std::atomic<bool> destroyed{false};
  std::atomic<std::uint64_t> place{0};     // where OBS is in its audio
  std::atomic<std::uint64_t> slips_to{0};  // just before it gets more
  bool jumped = false;
};

struct obs_property {
  std::string description;
  std::vector<std::pair<std::string, std::string>> items;
};

struct obs_properties {
  obs_properties() { ++living; }
  ~obs_properties() { --living; }
  std::vector<std::unique_ptr<obs_property>> all;
};

struct text_lookup {
  std::map<std::string, std::string> texts;
};

extern "C" {

void blog(int, const char* format, ...) {
  char line[1024];
  va_list values;
  va_start(values, format);
  std::vsnprintf(line, sizeof line, format, values);
  va_end(values);
  const std::lock_guard lock(everything);
  logged += line;
  logged += '\n';
}

void os_set_thread_name(const char*) {}

const char* obs_data_get_string(obs_data_t* data, const char* name) {
  return data->values[name].c_str();
}

void obs_data_set_string(obs_data_t* data, const char* name, const char* value) {
  data->values[name] = value;
}

lookup_t* obs_module_load_locale(obs_module_t*, const char* language, const char*) {
  auto* const lookup = new text_lookup;
  std::ifstream file(std::string(PYPAC_LOCALES) + "/" + language + ".ini");
  for (std::string line; std::getline(file, line);) {
    const auto equals = line.find("=\"");
    if (equals != std::string::npos)
      lookup->texts[line.substr(0, equals)] = line.substr(equals + 2, line.size() - equals - 3);
  }
  ++living;
  return lookup;
}

void text_lookup_destroy(lookup_t* lookup) {
  if (lookup != nullptr) --living;
  delete lookup;
}

bool text_lookup_getstr(lookup_t* lookup, const char* key, const char** out) {
  const auto found = lookup->texts.find(key);
  if (found == lookup->texts.end()) {
    const std::lock_guard lock(everything);
    missing.emplace_back(key);
    return false;
  }
  *out = found->second.c_str();
  return true;
}

void obs_register_source_s(const obs_source_info* info, size_t size) {
  std::memcpy(&kind, info, std::min(size, sizeof kind));
}

obs_properties_t* obs_properties_create(void) {
  return new obs_properties;
}

obs_property_t* obs_properties_add_list(obs_properties_t* page, const char*, const char* text,
                                        obs_combo_type, obs_combo_format) {
  page->all.push_back(std::make_unique<obs_property>());
  page->all.back()->description = text;
  return page->all.back().get();
}

size_t obs_property_list_add_string(obs_property_t* list, const char* label, const char* value) {
  list->items.emplace_back(label, value);
  return list->items.size() - 1;
}

obs_property_t* obs_properties_add_text(obs_properties_t* page, const char*, const char* text,
                                        obs_text_type) {
  page->all.push_back(std::make_unique<obs_property>());
  page->all.back()->description = text;
  return page->all.back().get();
}

obs_weak_source_t* obs_source_get_weak_source(obs_source_t* source) {
  if (source->destroyed) ++misused;
  ++source->control->weak;
  ++living;
  return source->control;
}

void obs_weak_source_release(obs_weak_source_t* weak) {
  --living;
  if (--weak->weak == 0) delete weak;
}

obs_source_t* obs_weak_source_get_source(obs_weak_source_t* weak) {
  for (long strong = weak->strong; strong > 0;)
    if (weak->strong.compare_exchange_weak(strong, strong + 1)) return weak->source;
  return nullptr;
}

void obs_source_release(obs_source_t* source) {
  obs_weak_source* const control = source->control;
  if (--control->strong > 0) return;
  source->destroyed = true;
  if (source->data != nullptr) kind.destroy(source->data);
  delete source;
  if (--control->weak == 0) delete control;
}

void obs_source_output_audio(obs_source_t* source, const obs_source_audio* audio) {
  if (source->destroyed) ++misused;
  pypac::test::fake_obs::Output output{
      audio->timestamp, audio->frames, audio->samples_per_sec, audio->speakers, {}};
  const std::uint32_t channels = get_audio_channels(audio->speakers);
  for (std::uint32_t c = 0; c < channels; ++c) {
    const auto* const plane = reinterpret_cast<const float*>(audio->data[c]);
    output.channels.emplace_back(plane, plane + audio->frames);
  }
  if (const std::uint64_t slipped = source->slips_to.exchange(0)) source->place = slipped;
  // What follows without a jump it appends, whatever its stamp.
  if (source->place == 0 || (source->jumped && audio->timestamp < source->place))
    source->place = audio->timestamp;
  source->jumped = audio->frames == 1;
  const std::lock_guard lock(source->lock);
  source->outputs.push_back(std::move(output));
}

uint64_t obs_source_get_audio_timestamp(const obs_source_t* source) {
  return source->place;
}

int64_t obs_source_get_sync_offset(const obs_source_t*) {
  return 0;
}

obs_monitoring_type obs_source_get_monitoring_type(const obs_source_t*) {
  return monitored ? OBS_MONITORING_TYPE_MONITOR_ONLY : OBS_MONITORING_TYPE_NONE;
}

bool obs_get_audio_info(obs_audio_info* info) {
  *info = {48000, SPEAKERS_STEREO};
  return round_begin != 0;
}

void obs_add_raw_audio_callback(size_t mix, const audio_convert_info*,
                                audio_output_callback_t callback, void* param) {
  ++listeners;
  audio_data data{};
  data.timestamp = round_begin;
  callback(param, mix, &data);
}

void obs_remove_raw_audio_callback(size_t, audio_output_callback_t, void*) {
  --listeners;
}

void obs_source_update_properties(obs_source_t* source) {
  if (source->destroyed) ++misused;
}

}  // extern "C"

namespace pypac::test::fake_obs {

namespace {

obs_source* make_source() {
  auto* const source = new obs_source;
  source->control = new obs_weak_source;
  source->control->source = source;
  return source;
}

std::vector<Output> outputs_of(obs_source* source) {
  const std::lock_guard lock(source->lock);
  return source->outputs;
}

}  // namespace

Bare::Bare() : source_(make_source()) {}
Bare::~Bare() {
  obs_source_release(source_);
}
void Bare::slip(std::uint64_t place) {
  source_->place = place;
}
void Bare::slip_before_output(std::uint64_t place) {
  source_->slips_to = place;
}
std::vector<Output> Bare::outputs() const {
  return outputs_of(source_);
}

Source::Source(const std::vector<std::pair<std::string, std::string>>& settings)
    : source_(make_source()) {
  for (const auto& [key, value] : settings) source_->settings.values[key] = value;
  source_->data = kind.create(&source_->settings, source_);
}

Source::~Source() {
  obs_source_release(source_);
}

void Source::update(const std::vector<std::pair<std::string, std::string>>& settings) {
  const std::lock_guard lock(source_->lock);
  for (const auto& [key, value] : settings) source_->settings.values[key] = value;
  kind.update(source_->data, &source_->settings);
}

std::string Source::setting(const std::string& key) const {
  const std::lock_guard lock(source_->lock);
  return source_->settings.values[key];
}

std::vector<Output> Source::outputs() const {
  return outputs_of(source_);
}

Source::Page Source::page() const {
  const std::unique_ptr<obs_properties> properties(kind.get_properties(source_->data));
  return {properties->all.at(0)->items, properties->all.at(1)->description};
}

void set_round(std::uint64_t begin) {
  round_begin = begin;
}
void monitor_only(bool on) {
  monitored = on;
}
bool mix_is_free() {
  return listeners == 0;
}

long alive() {
  return living;
}
long misuses() {
  return misused;
}

std::string log() {
  const std::lock_guard lock(everything);
  return logged;
}

std::vector<std::string> missing_texts() {
  const std::lock_guard lock(everything);
  return missing;
}

}  // namespace pypac::test::fake_obs
