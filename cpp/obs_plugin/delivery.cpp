// SPDX-License-Identifier: GPL-2.0-or-later
#include "obs_plugin/delivery.hpp"

#include <algorithm>
#include <utility>

// Of libobs's <util/threading.h>, which on Windows asks for a header that libobs does not install.
extern "C" void os_set_thread_name(const char* name);

namespace pypac::obs_plugin {

Delivery::~Delivery() {
  stop();
}

void Delivery::replace(const std::shared_ptr<TrackFeed>& previous,
                       std::shared_ptr<TrackFeed> next) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (next) {
      feeds_.reserve(feeds_.size() + 1);
      if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    }
    std::erase(feeds_, previous);
    if (next) feeds_.push_back(std::move(next));
    has_changed_ = true;
  }
  changed_.notify_one();
}

std::vector<std::shared_ptr<TrackFeed>> Delivery::feeds() const {
  const std::lock_guard lock(mutex_);
  return feeds_;
}

void Delivery::stop() noexcept {
  std::vector<std::shared_ptr<TrackFeed>> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(feeds_);
  }
  changed_.notify_one();
  // Nobody starts it any more.
  if (thread_.joinable()) thread_.join();
}

void Delivery::run() noexcept {
  os_set_thread_name("pypac-obs tracks");
  std::vector<std::shared_ptr<TrackFeed>> feeds;
  std::vector<std::shared_ptr<TrackFeed>> dropped;
  AudioRounds rounds(clock_);
  std::unique_lock lock(mutex_);
  const auto called = [this] { return stopping_ || has_changed_; };
  while (!stopping_) {
    if (has_changed_) {
      has_changed_ = false;
      dropped = std::exchange(feeds, feeds_);
    }
    lock.unlock();
    // The last of a feed may end here: not under the lock.
    dropped.clear();
    HostTime due = HostTime::max();
    for (const auto& feed : feeds) due = std::min(due, feed->deliver(clock_.now(), rounds));
    rounds.end_pass();
    lock.lock();
    if (feeds.empty())
      changed_.wait(lock, called);
    else
      changed_.wait_for(lock, due - clock_.now(), called);
  }
}

}  // namespace pypac::obs_plugin
