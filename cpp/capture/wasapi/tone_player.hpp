// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

namespace pypac {

/// Plays a tone of 440 Hz, or digital silence, to the default output in shared mode, as any program
/// does: something to be captured. Everything below is [control-thread].
class TonePlayer {
 public:
  /// `amplitude` of the tone; 0: zeros. Returns when the stream has been started. Throws
  /// Failure(unsupported, backend_unavailable) with the step and the HRESULT.
  explicit TonePlayer(float amplitude);
  ~TonePlayer();
  TonePlayer(const TonePlayer&) = delete;
  TonePlayer& operator=(const TonePlayer&) = delete;

  /// Closes the stream. Final.
  void stop() noexcept;

 private:
  class Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace pypac
