// SPDX-License-Identifier: MIT
#include "capture/wasapi/loopback_probe.hpp"

#include <thread>

#include "capture/wasapi/capture_client.hpp"

namespace pypac {

class LoopbackProbe::Capture {
 public:
  explicit Capture(std::int64_t pid) : client({CaptureTarget::Kind::tree, pid, 0, {}}, log) {}

  const std::shared_ptr<PacketLog> log = std::make_shared<PacketLog>();
  CaptureClient client;
};

LoopbackProbe::LoopbackProbe(std::int64_t pid) : capture_(std::make_unique<Capture>(pid)) {}
LoopbackProbe::~LoopbackProbe() = default;

bool LoopbackProbe::wait_until_tried(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (capture_->client.state() == CaptureClient::State::opening) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

bool LoopbackProbe::is_open() const noexcept {
  return capture_->client.state() == CaptureClient::State::running;
}
std::uint32_t LoopbackProbe::opened() const noexcept {
  return capture_->client.opened();
}
std::string LoopbackProbe::failure() const {
  return capture_->client.failure();
}
std::vector<PacketRecord> LoopbackProbe::take() {
  return capture_->log->take();
}
std::uint64_t LoopbackProbe::lost() const noexcept {
  return capture_->log->lost();
}
void LoopbackProbe::stop() noexcept {
  capture_->client.stop();
}

}  // namespace pypac
