// SPDX-License-Identifier: GPL-2.0-or-later
#include "obs_plugin/audio_rounds.hpp"

#include <obs.h>

namespace pypac::obs_plugin {

using std::chrono::milliseconds;

namespace {
constexpr HostTime kAnswersWithin = milliseconds(200);
// The rest of a round's 21 ms is for those who are slow.
constexpr HostTime kJust = milliseconds(10);
// So that no rounding makes a round of it.
constexpr HostTime kInside(50);
// The first frame may come as much later.
constexpr HostTime kFrame = std::chrono::microseconds(50);
// OBS takes so much off the stamps of what it resamples.
constexpr HostTime kResampled = std::chrono::microseconds(200);
}  // namespace

AudioRounds::~AudioRounds() {
  disconnect();
}

AudioRounds::Answer AudioRounds::ask(HostTime now) noexcept {
  asked_ = true;
  if (!connected_) {
    obs_audio_info info{};
    if (!obs_get_audio_info(&info) || info.samples_per_sec == 0) return Answer::unknown;
    sample_rate_ = info.samples_per_sec;
    length_ = TimelineAnchor{HostTime(0), info.samples_per_sec}.host_time_of(AUDIO_OUTPUT_FRAMES);
    mixed_at_.store(0);
    asked_since_ = now;
    connected_ = true;
    obs_add_raw_audio_callback(0, nullptr, hear, this);
  }
  const HostTime mixed_at(mixed_at_.load());
  if (mixed_at == HostTime(0))
    return now - asked_since_ < kAnswersWithin ? Answer::wait : Answer::unknown;
  return now - mixed_at < kJust ? Answer::just_mixed : Answer::wait;
}

std::int64_t AudioRounds::needed_for(HostTime late) const noexcept {
  return late < HostTime(0) ? 1 : (late + kFrame) / length_ + 1;
}

HostTime AudioRounds::begin(std::int64_t rounds, std::uint32_t sample_rate) const noexcept {
  const HostTime inside = sample_rate == sample_rate_ ? kInside : kResampled;
  return mixed_at() - rounds * length_ + inside;
}

void AudioRounds::end_pass() noexcept {
  if (!asked_) disconnect();
  asked_ = false;
}

void AudioRounds::hear(void* self, std::size_t, audio_data* data) {
  auto& rounds = *static_cast<AudioRounds*>(self);
  // With buffering OBS gives out what is some rounds old; rounds end where it begins, all the same.
  const HostTime stamp(static_cast<std::int64_t>(data->timestamp));
  const HostTime now = rounds.clock_.now();
  const HostTime since = (now - stamp) % rounds.length_;
  rounds.mixed_at_.store((now - since).count());
}

void AudioRounds::disconnect() noexcept {
  if (connected_) obs_remove_raw_audio_callback(0, hear, this);
  connected_ = false;
}

}  // namespace pypac::obs_plugin
