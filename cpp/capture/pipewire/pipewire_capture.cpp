// SPDX-License-Identifier: MIT
#include "capture/pipewire/pipewire_capture.hpp"

#include <utility>

#include "capture/pipewire/pipewire_watcher.hpp"
#include "core/status.hpp"
#include "pipewire/pipewire_api.hpp"

namespace pypac {

PipewireAvailability PipewireCapture::probe() {
  try {
    return {true, PipewireApi::load().get_library_version(), ""};
  } catch (const Failure& failure) {
    return {false, "", failure.what()};
  }
}

PipewireCapture::PipewireCapture(PipewireOptions options)
    : watcher_(std::make_unique<Watcher>(std::move(options))) {}
PipewireCapture::~PipewireCapture() = default;

std::shared_ptr<Source> PipewireCapture::add_source(std::string name, Selector selector,
                                                    std::uint32_t channels) {
  return watcher_->add_source(std::move(name), std::move(selector), channels);
}
bool PipewireCapture::wait_until_running(std::chrono::milliseconds timeout) {
  return watcher_->wait_until_running(timeout);
}
std::vector<StreamView> PipewireCapture::streams() {
  return watcher_->streams();
}
void PipewireCapture::remove_source(const std::string& name) {
  watcher_->remove_source(name);
}
SourceStatus PipewireCapture::source_status(const std::string& name) {
  return watcher_->source_status(name);
}
PipewireServer PipewireCapture::server_info() {
  return watcher_->server_info();
}
std::vector<SourceStatus> PipewireCapture::preview(const std::vector<Selector>& selectors) {
  return watcher_->preview(selectors);
}
void PipewireCapture::stop() noexcept {
  watcher_->stop();
}

}  // namespace pypac
