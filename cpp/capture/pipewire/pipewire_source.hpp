// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "capture/mixed_source.hpp"
#include "capture/pipewire/graph_clocks.hpp"
#include "core/time.hpp"
#include "plugin/source.hpp"

namespace pypac {

/// A source of PipewireCapture as the engine sees it.
class PipewireSource final : public Source {
 public:
  /// [control-thread]
  PipewireSource(std::uint32_t channels, std::uint32_t capacity_frames, std::uint32_t timeline_rate,
                 std::shared_ptr<GraphClocks> clocks)
      : clocks_(std::move(clocks)), mixed_(channels, capacity_frames, timeline_rate) {}

  void start(HostTime origin) override {
    clocks_->set_origin(origin);
    mixed_.start(origin);
  }
  void stop() noexcept override { mixed_.stop(); }
  [[nodiscard]] Taken read(const Wanted& wanted, GapSink& gaps) noexcept override {
    return mixed_.read(wanted, gaps);
  }
  [[nodiscard]] std::uint32_t channels() const noexcept override { return mixed_.channels(); }
  [[nodiscard]] const ClockDomain& clock() const noexcept override { return mixed_.clock(); }
  [[nodiscard]] Cause absence() const noexcept override { return mixed_.absence(); }

  /// See MixedSource.
  void set_absence(Cause cause, bool restarting = false) noexcept {
    mixed_.set_absence(cause, restarting);
  }
  [[nodiscard]] std::uint64_t packets() const noexcept { return mixed_.packets(); }
  /// [control-thread] nullptr: there are as many as a source can have.
  [[nodiscard]] std::shared_ptr<Tap> add_tap() {
    return mixed_.add_tap(std::shared_ptr<ClockDomain>(clocks_, &clocks_->any_domain()));
  }

 private:
  std::shared_ptr<GraphClocks> clocks_;
  MixedSource mixed_;
};

}  // namespace pypac
