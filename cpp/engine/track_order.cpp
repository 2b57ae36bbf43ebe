// SPDX-License-Identifier: MIT
#include "engine/track_order.hpp"

#include <algorithm>

#include "core/status.hpp"

namespace pypac {
namespace {

class Order {
 public:
  explicit Order(const std::vector<TrackKeys>& tracks) : tracks_(tracks), done_(tracks.size()) {}

  std::vector<std::size_t> all() {
    for (std::size_t i = 0; i < tracks_.size(); ++i) visit(i);
    return std::move(order_);
  }

 private:
  void visit(std::size_t index) {
    if (done_[index]) return;
    if (const auto at = std::ranges::find(path_, index); at != path_.end())
      refuse_circle(at - path_.begin());
    path_.push_back(index);
    for (const std::string& key : tracks_[index].keys) visit(index_of(key, tracks_[index].id));
    path_.pop_back();
    done_[index] = true;
    order_.push_back(index);
  }

  [[nodiscard]] std::size_t index_of(const std::string& key, const std::string& track) const {
    const auto at =
        std::ranges::find_if(tracks_, [&](const TrackKeys& one) { return one.id == key; });
    if (at == tracks_.end())
      throw Failure(ErrorKind::invalid_argument,
                    "a filter of " + track + " has a key that is no track: " + key);
    return static_cast<std::size_t>(at - tracks_.begin());
  }

  [[noreturn]] void refuse_circle(std::ptrdiff_t first) const {
    std::string path;
    for (std::size_t i = static_cast<std::size_t>(first); i < path_.size(); ++i)
      path += tracks_[path_[i]].id + " -> ";
    path += tracks_[path_[static_cast<std::size_t>(first)]].id;
    throw Failure(ErrorKind::invalid_argument, "tracks steer each other in a circle: " + path,
                  "Take one of these keys out.");
  }

  const std::vector<TrackKeys>& tracks_;
  std::vector<bool> done_;
  std::vector<std::size_t> path_;
  std::vector<std::size_t> order_;
};

}  // namespace

std::vector<std::size_t> order_tracks(const std::vector<TrackKeys>& tracks) {
  return Order(tracks).all();
}

}  // namespace pypac
