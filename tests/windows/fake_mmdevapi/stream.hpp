// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine.hpp"
#include "windows_headers.hpp"

namespace fake {

/// A capture stream of this Windows: the state behind an IAudioClient and its services. Every
/// method is one of theirs, checked for what Windows refuses and for what our side may not do.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  /// `endpoint` is without meaning for processes.
  Stream(Target target, EndpointRule endpoint);

  [[nodiscard]] const Target& target() const { return target_; }

  HRESULT initialize(AUDCLNT_SHAREMODE mode, DWORD flags, REFERENCE_TIME duration,
                     REFERENCE_TIME period, const WAVEFORMATEX* format);
  HRESULT get_buffer_size(UINT32* frames);
  HRESULT get_latency(REFERENCE_TIME* latency);
  HRESULT get_padding(UINT32* frames);
  HRESULT is_supported(const WAVEFORMATEX* format, WAVEFORMATEX** closest);
  HRESULT get_mix_format(WAVEFORMATEX** format);
  HRESULT get_period(REFERENCE_TIME* usual, REFERENCE_TIME* least);
  HRESULT start();
  HRESULT stop();
  HRESULT reset();
  HRESULT set_event(HANDLE event);
  HRESULT get_service(REFIID iid, void** out);
  void client_released();

  HRESULT get_buffer(BYTE** data, UINT32* frames, DWORD* flags, UINT64* position, UINT64* qpc);
  HRESULT release_buffer(UINT32 frames);
  HRESULT next_packet_size(UINT32* frames);
  void capture_released();

  HRESULT get_render_buffer(UINT32 frames, BYTE** data);
  HRESULT release_render_buffer(UINT32 frames, DWORD flags);

  /// Makes the packets that are due. Engine's thread.
  void tick(std::int64_t now_100ns, const Script& script, const Mix& mix);

 private:
  struct Packet {
    std::int64_t first_frame = 0;
    std::uint32_t frames = 0;
    DWORD flags = 0;
    std::int64_t stamp = 0;      // 100 ns
    std::int64_t put_100ns = 0;  // when the client could have it
    std::vector<Voice> voices;
    bool silent = false;  // undefined memory
  };

  /// What every call begins with: counts, the script's failures, the device's end, the thread.
  HRESULT enter(const char* method);
  HRESULT refuse_process(const char* method, const char* rule);
  void make_packet(std::uint32_t frames, const Script& script, const Mix& mix);
  void deliver(Packet packet, bool with_event);
  void signal();
  void check_owner(const char* where);
  [[nodiscard]] std::uint32_t capacity() const { return rate_ / 10; }  // of what plays
  [[nodiscard]] std::uint32_t padding() const;                         // of what plays
  HRESULT write_mix_format(WAVEFORMATEX** format) const;
  [[nodiscard]] bool accepts(const WAVEFORMATEX& format, DWORD flags) const;

  const Target target_;
  const EndpointRule endpoint_;

  std::mutex mutex_;
  DWORD owner_ = 0;  // thread of Initialize
  Life life_;
  bool initialized_ = false;
  bool initialize_failed_ = false;  // Windows then wants another client
  bool started_ = false;
  bool stopped_ = false;  // once
  bool second_ = false;
  bool capture_alive_ = false;
  bool plays_ = false;  // renders, and captures nothing
  DWORD stream_flags_ = 0;
  HANDLE event_ = nullptr;
  std::uint32_t channels_ = 2;
  std::uint32_t rate_ = 48000;
  bool floats_ = true;

  CaptureSettings settings_;
  DeviceClock clock_{48000};
  std::int64_t next_frame_ = 0;
  std::int64_t first_frame_ = 0;
  std::uint64_t packet_number_ = 0;
  std::size_t next_size_ = 0;
  std::uint64_t jitter_state_ = 1;
  bool discontinuity_ = false;  // of the next packet
  std::uint32_t unsignalled_ = 0;
  std::deque<Packet> queue_;
  std::vector<Packet> held_back_;
  std::uint64_t queued_frames_ = 0;
  bool buffer_held_ = false;
  std::vector<float> mixed_;
  std::vector<BYTE> memory_;
  std::uint64_t written_ = 0;     // frames rendered
  std::int64_t began_100ns_ = 0;  // to render
};

/// Makes the IAudioClient of a new stream, with one reference.
[[nodiscard]] IAudioClient* make_audio_client(Target target, EndpointRule endpoint);

/// Says that a call came from a thread that is not in a multithreaded apartment.
void check_apartment(const char* where);

}  // namespace fake
