// SPDX-License-Identifier: MIT
#pragma once

#include <nanobind/nanobind.h>

namespace pypac {

void bind_timeline(nanobind::module_& module);
void bind_plugins(nanobind::module_& module);
void bind_engine(nanobind::module_& module);
void bind_outputs(nanobind::module_& module);
void bind_sinks(nanobind::module_& module);
void bind_capture(nanobind::module_& module);
void bind_chain(nanobind::module_& module);
void bind_loudness(nanobind::module_& module);

}  // namespace pypac
