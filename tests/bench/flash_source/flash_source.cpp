// SPDX-License-Identifier: GPL-2.0-or-later
// An OBS module for the benchmarks: the source kind `pypac_flash` is black, and white for a moment
// at known host times. For tests only, never installed.
//
// Setting "period_ns": flash i begins at host time (CLOCK_MONOTONIC) i * period_ns, and lasts for
// "flash_ns". The first frame of each is logged: "[pypac-flash] I FRAME_TIME_NS", where FRAME_TIME
// is what OBS takes for that frame's time.
#include <graphics/graphics.h>
#include <graphics/vec4.h>
#include <obs-module.h>
#include <util/platform.h>

#include <cstdint>

OBS_DECLARE_MODULE()

namespace {

constexpr std::uint32_t kSide = 64;

struct Flash {
  std::uint64_t period_ns = 1'000'000'000;
  std::uint64_t flash_ns = 80'000'000;
  std::uint64_t last = 0;  // the flash that was logged last
};

const char* get_name(void*) {
  return "Flash (test)";
}

void update(void* data, obs_data_t* settings) {
  auto& self = *static_cast<Flash*>(data);
  const auto positive = [&](const char* key, std::uint64_t otherwise) {
    const long long value = obs_data_get_int(settings, key);
    return value > 0 ? static_cast<std::uint64_t>(value) : otherwise;
  };
  self.period_ns = positive("period_ns", self.period_ns);
  self.flash_ns = positive("flash_ns", self.flash_ns);
}

void* create(obs_data_t* settings, obs_source_t*) {
  auto* const self = new Flash;
  update(self, settings);
  return self;
}

void destroy(void* data) {
  delete static_cast<Flash*>(data);
}

std::uint32_t side(void*) {
  return kSide;
}

/// The picture as it is at the frame's time: a flash is seen in the first frame that is not before
/// it.
void render(void* data, gs_effect_t*) {
  auto& self = *static_cast<Flash*>(data);
  const std::uint64_t now = obs_get_video_frame_time();
  const std::uint64_t flash = now / self.period_ns;
  const bool white = now % self.period_ns < self.flash_ns;
  if (white && flash != self.last) {
    self.last = flash;
    blog(LOG_INFO, "[pypac-flash] %llu %llu", static_cast<unsigned long long>(flash),
         static_cast<unsigned long long>(now));
  }
  vec4 color;
  vec4_set(&color, white ? 1.0F : 0.0F, white ? 1.0F : 0.0F, white ? 1.0F : 0.0F, 1.0F);
  gs_effect_t* const solid = obs_get_base_effect(OBS_EFFECT_SOLID);
  gs_effect_set_vec4(gs_effect_get_param_by_name(solid, "color"), &color);
  while (gs_effect_loop(solid, "Solid")) gs_draw_sprite(nullptr, 0, kSide, kSide);
}

}  // namespace

bool obs_module_load() {
  obs_source_info info{};
  info.id = "pypac_flash";
  info.type = OBS_SOURCE_TYPE_INPUT;
  info.output_flags = OBS_SOURCE_VIDEO | OBS_SOURCE_CUSTOM_DRAW;
  info.get_name = get_name;
  info.create = create;
  info.destroy = destroy;
  info.update = update;
  info.get_width = side;
  info.get_height = side;
  info.video_render = render;
  obs_register_source(&info);
  return true;
}
