// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/host_clock.hpp"
#include "obs_plugin/track_feed.hpp"

namespace pypac::obs_plugin {

/// The module's one thread: delivers every feed, each when its next block is due.
///
/// The lock that OBS's threads take here is never held while a feed works or waits, so they never
/// wait for audio. The thread is started by the first feed, and sleeps without one.
class Delivery {
 public:
  Delivery() = default;
  /// [OBS's threads] Like stop().
  ~Delivery();
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  /// [OBS's threads] Delivers `next` from now on, and `previous` no more; either may be null. What
  /// the thread has begun with `previous` it still ends.
  void replace(const std::shared_ptr<TrackFeed>& previous, std::shared_ptr<TrackFeed> next);

  /// [any-thread] What the feeds that are delivered here are to share.
  [[nodiscard]] const std::shared_ptr<TrackFeed::Room>& room() const noexcept { return room_; }

  /// [OBS's threads] Those that are delivered.
  [[nodiscard]] std::vector<std::shared_ptr<TrackFeed>> feeds() const;

  /// [OBS's threads] Ends the thread, for good, and returns when it has ended.
  void stop() noexcept;

 private:
  void run() noexcept;

  const std::shared_ptr<TrackFeed::Room> room_ = std::make_shared<TrackFeed::Room>();
  SystemClock clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Under the lock.
  std::vector<std::shared_ptr<TrackFeed>> feeds_;
  bool has_changed_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace pypac::obs_plugin
