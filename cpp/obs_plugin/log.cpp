// SPDX-License-Identifier: GPL-2.0-or-later
#include "obs_plugin/log.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>

namespace pypac::obs_plugin {

void log(int level, const char* format, ...) noexcept {
  std::array<char, 500> line{};
  va_list values;
  va_start(values, format);
  std::vsnprintf(line.data(), line.size(), format, values);
  va_end(values);
  blog(level, "[pypac-obs] %s", line.data());
}

}  // namespace pypac::obs_plugin
