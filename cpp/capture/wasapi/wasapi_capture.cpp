// SPDX-License-Identifier: MIT
#include "capture/wasapi/wasapi_capture.hpp"

#include <cstdint>
#include <string>
#include <utility>

#include "capture/wasapi/wasapi_watcher.hpp"
#include "capture/wasapi/windows_version.hpp"

namespace pypac {
namespace {

std::string version_text() {
  return "10.0." + std::to_string(windows_build());
}

}  // namespace

WasapiAvailability WasapiCapture::probe() {
  const std::uint32_t build = windows_build();
  if (build >= kOldestBuild) return {true, version_text(), ""};
  return {false, version_text(),
          "this Windows (build " + std::to_string(build) +
              ") cannot capture single programs: build " + std::to_string(kOldestBuild) +
              " or newer is needed"};
}

WasapiCapture::WasapiCapture(WasapiOptions options) : watcher_(std::make_shared<Watcher>(options)) {
  watcher_->start();
}
WasapiCapture::~WasapiCapture() {
  watcher_->stop();
}

std::shared_ptr<Source> WasapiCapture::add_source(std::string name, Selector selector,
                                                  std::uint32_t channels) {
  return watcher_->add_source(std::move(name), std::move(selector), channels);
}
bool WasapiCapture::wait_until_running(std::chrono::milliseconds timeout) {
  return watcher_->wait_until_running(timeout);
}
std::vector<StreamView> WasapiCapture::streams() {
  return watcher_->streams();
}
void WasapiCapture::remove_source(const std::string& name) {
  watcher_->remove_source(name);
}
SourceStatus WasapiCapture::source_status(const std::string& name) {
  return watcher_->source_status(name);
}
WasapiServer WasapiCapture::server_info() {
  return watcher_->server_info();
}
std::vector<SourceStatus> WasapiCapture::preview(const std::vector<Selector>& selectors) {
  return watcher_->preview(selectors);
}
void WasapiCapture::stop() noexcept {
  watcher_->stop();
}

}  // namespace pypac
