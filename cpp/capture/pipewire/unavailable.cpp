// SPDX-License-Identifier: MIT
// Stands in for PipewireCapture where PipeWire's headers were missing at build time.
#include "capture/pipewire/pipewire_capture.hpp"
#include "core/status.hpp"

namespace pypac {
namespace {
constexpr const char* kReason = "this build has no PipeWire capture";
}

class PipewireCapture::Watcher {};

PipewireAvailability PipewireCapture::probe() {
  return {false, "", kReason};
}
PipewireCapture::PipewireCapture(PipewireOptions) {
  throw Failure(ErrorKind::unsupported, kReason,
                "Install libpipewire-0.3-dev and build the package again.");
}
PipewireCapture::~PipewireCapture() = default;
std::shared_ptr<Source> PipewireCapture::add_source(std::string, Selector, std::uint32_t) {
  return {};
}
bool PipewireCapture::wait_until_running(std::chrono::milliseconds) {
  return false;
}
std::vector<StreamView> PipewireCapture::streams() {
  return {};
}
void PipewireCapture::remove_source(const std::string&) {}
SourceStatus PipewireCapture::source_status(const std::string&) {
  return {};
}
PipewireServer PipewireCapture::server_info() {
  return {};
}
std::vector<SourceStatus> PipewireCapture::preview(const std::vector<Selector>&) {
  return {};
}
void PipewireCapture::stop() noexcept {}

}  // namespace pypac
