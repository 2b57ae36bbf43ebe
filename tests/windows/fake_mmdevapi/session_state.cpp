// SPDX-License-Identifier: MIT
#include "session_state.hpp"

#include <algorithm>

#include "engine.hpp"

namespace fake {

SessionState::SessionState(Process of, std::string on, bool with_others)
    : process(std::move(of)),
      endpoint(std::move(on)),
      shared(with_others),
      identifier(endpoint + "|\\Device\\HarddiskVolume1\\" + process.name + "%b{00000000}"),
      instance_identifier(identifier + "|1%b" + std::to_string(process.pid) + "_" +
                          std::to_string(process.created)) {}

SessionState::Look SessionState::look() const {
  const std::lock_guard lock(mutex_);
  return look_;
}

std::vector<ComPointer<IAudioSessionEvents>> SessionState::listeners_now() const {
  const std::lock_guard lock(mutex_);
  return listeners_;
}

void SessionState::set_state(AudioSessionState state) {
  {
    const std::lock_guard lock(mutex_);
    if (look_.state == state) return;
    look_.state = state;
  }
  engine().notify([listeners = listeners_now(), state] {
    for (const auto& one : listeners) one->OnStateChanged(state);
  });
}

void SessionState::tell_volume(GUID context) {
  const Look now = look();
  engine().notify([listeners = listeners_now(), now, context] {
    for (const auto& one : listeners) {
      one->OnSimpleVolumeChanged(now.volume, now.mute ? TRUE : FALSE, &context);
    }
  });
}

void SessionState::set_volume(float volume, GUID context) {
  {
    const std::lock_guard lock(mutex_);
    if (look_.volume == volume) return;
    look_.volume = volume;
  }
  tell_volume(context);
}

void SessionState::set_mute(bool mute, GUID context) {
  {
    const std::lock_guard lock(mutex_);
    if (look_.mute == mute) return;
    look_.mute = mute;
  }
  tell_volume(context);
}

void SessionState::set_peak(float peak) {
  const std::lock_guard lock(mutex_);
  look_.peak = peak;
}

void SessionState::set_display_name(std::wstring name) {
  const std::lock_guard lock(mutex_);
  look_.display_name = std::move(name);
}

void SessionState::listen(IAudioSessionEvents* events) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(ComPointer<IAudioSessionEvents>::share(events));
}

bool SessionState::unlisten(IAudioSessionEvents* events) {
  ComPointer<IAudioSessionEvents> removed;  // released without the lock
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(listeners_.begin(), listeners_.end(),
                                  [&](const auto& one) { return one.get() == events; });
  if (found == listeners_.end()) return false;
  removed = std::move(*found);
  listeners_.erase(found);
  return true;
}

}  // namespace fake
