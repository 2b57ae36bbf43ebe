// SPDX-License-Identifier: GPL-2.0-or-later
// The module as OBS on Windows has it: a DLL that finds libobs in obs.dll.
#include <doctest/doctest.h>
#include <windows.h>

#include "fake_libobs.hpp"

namespace pypac::test::fake_obs {

namespace {

HMODULE library = nullptr;

template <typename Function>
Function* function(const char* name) {
  auto* const found = reinterpret_cast<void*>(GetProcAddress(library, name));
  REQUIRE_MESSAGE(found != nullptr, name);
  return reinterpret_cast<Function*>(found);
}

}  // namespace

Module::Module() {
  library = LoadLibraryA(PYPAC_MODULE);
  REQUIRE_MESSAGE(library != nullptr, "error " << GetLastError());
  // In OBS's order.
  CHECK(function<std::uint32_t()>("obs_module_ver")() >= MAKE_SEMANTIC_VERSION(29, 0, 0));
  function<void(obs_module_t*)>("obs_module_set_pointer")(nullptr);
  function<void(const char*)>("obs_module_set_locale")("en-US");
  REQUIRE(function<bool()>("obs_module_load")());
}

Module::~Module() {
  function<void()>("obs_module_unload")();
  function<void()>("obs_module_free_locale")();
  // OBS keeps the file loaded: sources may be destroyed later than this.
}

std::string Module::text(const std::string& key) const {
  const char* text = key.c_str();
  function<bool(const char*, const char**)>("obs_module_get_string")(key.c_str(), &text);
  return text;
}

}  // namespace pypac::test::fake_obs
