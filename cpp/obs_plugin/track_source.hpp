// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <obs-module.h>

#include <memory>
#include <mutex>
#include <string>

#include "obs_plugin/delivery.hpp"

namespace pypac::obs_plugin {

/// One source in OBS: its settings and its properties page. The audio is its feed's business.
///
/// What it plays is in two settings, "session" and "track". The properties page has one list for
/// both, under a third, "choice": whoever changes that, changes the two.
class TrackSource {
 public:
  /// [OBS's threads]
  TrackSource(obs_source_t* source, obs_data_t* settings, std::shared_ptr<Delivery> delivery);
  ~TrackSource();
  TrackSource(const TrackSource&) = delete;
  TrackSource& operator=(const TrackSource&) = delete;

  /// [OBS's threads] Takes up what the settings say now.
  void update(obs_data_t* settings);

  /// [OBS's threads] The page as it is to be now; OBS destroys it.
  [[nodiscard]] obs_properties_t* properties() const;

 private:
  [[nodiscard]] std::string state_in_words() const;

  obs_source_t* const source_;
  const std::shared_ptr<Delivery> delivery_;
  mutable std::mutex mutex_;  // OBS's threads among each other
  std::string choice_;
  std::shared_ptr<TrackFeed> feed_;  // none: nothing is chosen
};

/// [OBS's threads] Makes the kind `pypac_track` known to OBS.
void register_track_source();

/// [OBS's threads] What all sources made from now on share; null: no more sources can be made.
void set_delivery(std::shared_ptr<Delivery> delivery);

}  // namespace pypac::obs_plugin
