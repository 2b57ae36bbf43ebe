// SPDX-License-Identifier: GPL-2.0-or-later
// The module as a part of the test's own program.
#include "fake_libobs.hpp"

namespace pypac::test::fake_obs {

Module::Module() {
  obs_module_set_locale("en-US");
  obs_module_load();
}

Module::~Module() {
  obs_module_free_locale();
  obs_module_unload();
}

std::string Module::text(const std::string& key) const {
  return obs_module_text(key.c_str());
}

}  // namespace pypac::test::fake_obs
