// SPDX-License-Identifier: GPL-2.0-or-later
// What OBS looks up in the module.
#include <obs-module.h>

#include <exception>
#include <memory>

#include "obs_plugin/delivery.hpp"
#include "obs_plugin/log.hpp"
#include "obs_plugin/track_source.hpp"

OBS_DECLARE_MODULE()
OBS_MODULE_AUTHOR("the PyPAC-OBS authors")
OBS_MODULE_USE_DEFAULT_LOCALE("pypac-obs", "en-US")

using pypac::obs_plugin::Delivery;

namespace {
std::shared_ptr<Delivery> delivery;
}

MODULE_EXPORT const char* obs_module_name() {
  return "PyPAC-OBS";
}

MODULE_EXPORT const char* obs_module_description() {
  return "Tracks of PyPAC-OBS sessions as sources";
}

bool obs_module_load() {
  try {
    delivery = std::make_shared<Delivery>();
  } catch (const std::exception& error) {
    pypac::obs_plugin::log(LOG_ERROR, "not loaded: %s", error.what());
    return false;
  }
  pypac::obs_plugin::set_delivery(delivery);
  pypac::obs_plugin::register_track_source();
  pypac::obs_plugin::log(LOG_INFO, "version " PYPAC_VERSION " loaded");
  return true;
}

void obs_module_unload() {
  // OBS may destroy sources later than the module: they keep it, but its thread is no more.
  if (delivery) delivery->stop();
  pypac::obs_plugin::set_delivery(nullptr);
  delivery.reset();
}
