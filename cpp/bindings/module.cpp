// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>

#include "bindings/bind.hpp"
#include "core/status.hpp"

namespace nb = nanobind;

namespace pypac {
namespace {

const char* python_class_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::not_running:
      return "NotRunning";
    case ErrorKind::permission_denied:
      return "PermissionDenied";
    case ErrorKind::unsupported:
      return "Unsupported";
    case ErrorKind::backend_unavailable:
      return "BackendUnavailable";
    case ErrorKind::device_gone:
      return "DeviceGone";
    case ErrorKind::output_failed:
      return "OutputFailed";
    case ErrorKind::invalid_argument:
      break;
  }
  return nullptr;
}

void translate(const std::exception_ptr& pointer, void*) {
  try {
    std::rethrow_exception(pointer);
  } catch (const Failure& failure) {
    const char* const name = python_class_of(failure.kind());
    if (!name) {
      const std::string text = failure.remedy().empty()
                                   ? std::string(failure.what())
                                   : std::string(failure.what()) + ": " + failure.remedy();
      PyErr_SetString(PyExc_ValueError, text.c_str());
      return;
    }
    const nb::object error_class = nb::module_::import_("pypac_obs.errors").attr(name);
    nb::object native_code = nb::none();
    if (failure.native_code() != 0) native_code = nb::int_(failure.native_code());
    const nb::object error =
        error_class(failure.what(), nb::arg("remedy") = failure.remedy().c_str(),
                    nb::arg("native_code") = native_code);
    PyErr_SetObject(error_class.ptr(), error.ptr());
  }
}

}  // namespace
}  // namespace pypac

NB_MODULE(_core, module) {
  module.doc() = "The native core. Not for users: pypac_obs gives it names, defaults and words.";
  nb::register_exception_translator(pypac::translate);
  module.def("set_leak_warnings", &nb::set_leak_warnings, nb::arg("on"),
             "Whether objects that are left at the interpreter's end are told of.");
  pypac::bind_timeline(module);
  pypac::bind_capture(module);
  pypac::bind_plugins(module);
  pypac::bind_chain(module);
  pypac::bind_engine(module);
  pypac::bind_loudness(module);
  pypac::bind_outputs(module);
  pypac::bind_sinks(module);
}
