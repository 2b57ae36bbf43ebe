// SPDX-License-Identifier: MIT
// Stands in for the capture from Windows where the system is not Windows.
#include "capture/wasapi/endpoint_format.hpp"
#include "capture/wasapi/loopback_probe.hpp"
#include "capture/wasapi/tone_player.hpp"
#include "capture/wasapi/wasapi_capture.hpp"
#include "core/status.hpp"

namespace pypac {
namespace {
constexpr const char* kReason = "this system is not Windows";
}

class WasapiCapture::Watcher {};

WasapiAvailability WasapiCapture::probe() {
  return {false, "", kReason};
}
WasapiCapture::WasapiCapture(WasapiOptions) {
  throw Failure(ErrorKind::unsupported, kReason, "Capture through PipeWire.");
}
WasapiCapture::~WasapiCapture() = default;
// As it is on Windows. NOLINTNEXTLINE(performance-unnecessary-value-param)
std::shared_ptr<Source> WasapiCapture::add_source(std::string, Selector, std::uint32_t) {
  return {};
}
bool WasapiCapture::wait_until_running(std::chrono::milliseconds) {
  return false;
}
std::vector<StreamView> WasapiCapture::streams() {
  return {};
}
void WasapiCapture::remove_source(const std::string&) {}
SourceStatus WasapiCapture::source_status(const std::string&) {
  return {};
}
WasapiServer WasapiCapture::server_info() {
  return {};
}
std::vector<SourceStatus> WasapiCapture::preview(const std::vector<Selector>&) {
  return {};
}
void WasapiCapture::stop() noexcept {}

class LoopbackProbe::Capture {};

LoopbackProbe::LoopbackProbe(std::int64_t) {
  throw Failure(ErrorKind::unsupported, kReason);
}
LoopbackProbe::~LoopbackProbe() = default;
bool LoopbackProbe::wait_until_tried(std::chrono::milliseconds) {
  return false;
}
bool LoopbackProbe::is_open() const noexcept {
  return false;
}
std::uint32_t LoopbackProbe::opened() const noexcept {
  return 0;
}
std::string LoopbackProbe::failure() const {
  return {};
}
std::vector<PacketRecord> LoopbackProbe::take() {
  return {};
}
std::uint64_t LoopbackProbe::lost() const noexcept {
  return 0;
}
void LoopbackProbe::stop() noexcept {}

class TonePlayer::Stream {};

TonePlayer::TonePlayer(float) {
  throw Failure(ErrorKind::unsupported, kReason);
}
TonePlayer::~TonePlayer() = default;
void TonePlayer::stop() noexcept {}

std::vector<EndpointFormat> default_endpoint_formats(std::chrono::milliseconds) {
  return {};
}

}  // namespace pypac
