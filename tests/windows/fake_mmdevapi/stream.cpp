// SPDX-License-Identifier: MIT
#include "stream.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "com_object.hpp"
#include "handovers.hpp"
#include "rendering.hpp"
#include "report.hpp"

namespace fake {
namespace {

constexpr std::uint32_t kGarbageBufferSize = 0x80000000U - 77U;  // a "quite random number"
constexpr BYTE kUndefined = 0xcd;                                // what SILENT packets hold
constexpr BYTE kTakenBack = 0xdd;                                // after ReleaseBuffer

// Not every header has the constants of ksmedia.h.
constexpr GUID kSubtypeFloat{0x00000003, 0x0000, 0x0010, {0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71}};
constexpr GUID kSubtypePcm{0x00000001, 0x0000, 0x0010, {0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71}};
constexpr WORD kTagFloat = 3;
constexpr WORD kTagExtensible = 0xfffe;
constexpr WORD kExtensibleSize = 22;

const WAVEFORMATEXTENSIBLE& extended(const WAVEFORMATEX& format) {
  return reinterpret_cast<const WAVEFORMATEXTENSIBLE&>(format);
}

bool is_float(const WAVEFORMATEX& format) {
  if (format.wFormatTag == kTagExtensible) {
    return IsEqualGUID(extended(format).SubFormat, kSubtypeFloat) != 0;
  }
  return format.wFormatTag == kTagFloat;
}

bool is_pcm(const WAVEFORMATEX& format) {
  if (format.wFormatTag == kTagExtensible) {
    return IsEqualGUID(extended(format).SubFormat, kSubtypePcm) != 0;
  }
  return format.wFormatTag == WAVE_FORMAT_PCM;
}

/// Do its numbers agree with each other?
bool is_consistent(const WAVEFORMATEX& format) {
  if (format.wFormatTag == kTagExtensible && format.cbSize < kExtensibleSize) return false;
  const bool known = (is_float(format) && format.wBitsPerSample == 32) ||
                     (is_pcm(format) && format.wBitsPerSample == 16);
  return known && format.nChannels > 0 && format.nSamplesPerSec > 0 &&
         format.nBlockAlign == format.nChannels * format.wBitsPerSample / 8 &&
         format.nAvgBytesPerSec == format.nSamplesPerSec * format.nBlockAlign;
}

class CaptureClient final : public ComObject<IAudioCaptureClient> {
 public:
  explicit CaptureClient(std::shared_ptr<Stream> stream)
      : ComObject("IAudioCaptureClient"), stream_(std::move(stream)) {}
  HRESULT STDMETHODCALLTYPE GetBuffer(BYTE** data, UINT32* frames, DWORD* flags, UINT64* position,
                                      UINT64* qpc) override {
    return stream_->get_buffer(data, frames, flags, position, qpc);
  }
  HRESULT STDMETHODCALLTYPE ReleaseBuffer(UINT32 frames) override {
    return stream_->release_buffer(frames);
  }
  HRESULT STDMETHODCALLTYPE GetNextPacketSize(UINT32* frames) override {
    return stream_->next_packet_size(frames);
  }

 protected:
  void released() override { stream_->capture_released(); }

 private:
  const std::shared_ptr<Stream> stream_;
};

class RenderClient final : public ComObject<IAudioRenderClient> {
 public:
  explicit RenderClient(std::shared_ptr<Stream> stream)
      : ComObject("IAudioRenderClient"), stream_(std::move(stream)) {}
  HRESULT STDMETHODCALLTYPE GetBuffer(UINT32 frames, BYTE** data) override {
    return stream_->get_render_buffer(frames, data);
  }
  HRESULT STDMETHODCALLTYPE ReleaseBuffer(UINT32 frames, DWORD flags) override {
    return stream_->release_render_buffer(frames, flags);
  }

 protected:
  void released() override { stream_->capture_released(); }

 private:
  const std::shared_ptr<Stream> stream_;
};

class AudioClient final : public ComObject<IAudioClient> {
 public:
  explicit AudioClient(std::shared_ptr<Stream> stream)
      : ComObject("IAudioClient"), stream_(std::move(stream)) {}
  HRESULT STDMETHODCALLTYPE Initialize(AUDCLNT_SHAREMODE mode, DWORD flags, REFERENCE_TIME duration,
                                       REFERENCE_TIME period, const WAVEFORMATEX* format,
                                       LPCGUID) override {
    return stream_->initialize(mode, flags, duration, period, format);
  }
  HRESULT STDMETHODCALLTYPE GetBufferSize(UINT32* frames) override {
    return stream_->get_buffer_size(frames);
  }
  HRESULT STDMETHODCALLTYPE GetStreamLatency(REFERENCE_TIME* latency) override {
    return stream_->get_latency(latency);
  }
  HRESULT STDMETHODCALLTYPE GetCurrentPadding(UINT32* frames) override {
    return stream_->get_padding(frames);
  }
  HRESULT STDMETHODCALLTYPE IsFormatSupported(AUDCLNT_SHAREMODE, const WAVEFORMATEX* format,
                                              WAVEFORMATEX** closest) override {
    return stream_->is_supported(format, closest);
  }
  HRESULT STDMETHODCALLTYPE GetMixFormat(WAVEFORMATEX** format) override {
    return stream_->get_mix_format(format);
  }
  HRESULT STDMETHODCALLTYPE GetDevicePeriod(REFERENCE_TIME* usual, REFERENCE_TIME* least) override {
    return stream_->get_period(usual, least);
  }
  HRESULT STDMETHODCALLTYPE Start() override { return stream_->start(); }
  HRESULT STDMETHODCALLTYPE Stop() override { return stream_->stop(); }
  HRESULT STDMETHODCALLTYPE Reset() override { return stream_->reset(); }
  HRESULT STDMETHODCALLTYPE SetEventHandle(HANDLE event) override {
    return stream_->set_event(event);
  }
  HRESULT STDMETHODCALLTYPE GetService(REFIID iid, void** out) override {
    return stream_->get_service(iid, out);
  }

 protected:
  void released() override { stream_->client_released(); }

 private:
  const std::shared_ptr<Stream> stream_;
};

}  // namespace

void check_apartment(const char* where) {
  APTTYPE type{};
  APTTYPEQUALIFIER qualifier{};
  if (FAILED(CoGetApartmentType(&type, &qualifier))) {
    report().violation("apartment", where, "the thread has not called CoInitializeEx");
  } else if (type != APTTYPE_MTA) {
    report().violation("apartment", where, "the thread is not in the multithreaded apartment");
  } else if (qualifier == APTTYPEQUALIFIER_IMPLICIT_MTA) {
    report().violation("apartment", where, "the thread borrows another's apartment");
  }
}

Stream::Stream(Target target, EndpointRule endpoint)
    : target_(std::move(target)), endpoint_(std::move(endpoint)) {}

HRESULT Stream::enter(const char* method) {
  return life_.called(target_.name, method);
}

void Stream::check_owner(const char* where) {
  if (owner_ != 0 && owner_ != GetCurrentThreadId()) {
    report().violation("one-thread", where, target_.name + ": not the thread of Initialize");
  }
}

HRESULT Stream::initialize(AUDCLNT_SHAREMODE mode, DWORD flags, REFERENCE_TIME duration,
                           REFERENCE_TIME period, const WAVEFORMATEX* format) {
  constexpr const char* kWhere = "IAudioClient::Initialize";
  const std::lock_guard lock(mutex_);
  check_apartment(kWhere);
  check_owner(kWhere);
  if (owner_ == 0) owner_ = GetCurrentThreadId();
  if (const HRESULT result = enter(kWhere); FAILED(result)) {
    initialize_failed_ = true;
    return result;
  }
  if (!format) return E_POINTER;
  if (initialized_ || initialize_failed_) {
    report().violation("call-order", kWhere, "called a second time");
    return AUDCLNT_E_ALREADY_INITIALIZED;
  }
  initialize_failed_ = true;  // until it has not
  if (mode != AUDCLNT_SHAREMODE_SHARED) {
    report().violation("shared-mode", kWhere, "exclusive mode");
    return AUDCLNT_E_EXCLUSIVE_MODE_NOT_ALLOWED;
  }
  if (period != 0) report().violation("shared-mode", kWhere, "hnsPeriodicity is not 0");
  if (target_.is_process() && !(flags & AUDCLNT_STREAMFLAGS_LOOPBACK)) {
    report().violation("loopback-flag", kWhere, "AUDCLNT_STREAMFLAGS_LOOPBACK is missing");
    return E_INVALIDARG;
  }
  if (target_.kind == Target::Kind::capture_endpoint && (flags & AUDCLNT_STREAMFLAGS_LOOPBACK)) {
    return AUDCLNT_E_WRONG_ENDPOINT_TYPE;
  }
  if (!accepts(*format, flags)) return AUDCLNT_E_UNSUPPORTED_FORMAT;
  initialize_failed_ = false;
  initialized_ = true;
  stream_flags_ = flags;
  plays_ = target_.kind == Target::Kind::render_endpoint && !(flags & AUDCLNT_STREAMFLAGS_LOOPBACK);
  channels_ = format->nChannels;
  rate_ = format->nSamplesPerSec;
  floats_ = is_float(*format);
  Line line("initialize");
  line.add("client", target_.name).add("flags", static_cast<std::int64_t>(flags));
  line.add("duration_100ns", duration).add("rate", static_cast<std::int64_t>(rate_));
  report().write(line.add("channels", static_cast<std::int64_t>(channels_)));
  return S_OK;
}

bool Stream::accepts(const WAVEFORMATEX& format, DWORD flags) const {
  if (!is_consistent(format)) return false;
  if (target_.is_process() || (flags & AUDCLNT_STREAMFLAGS_AUTOCONVERTPCM)) return true;
  return is_float(format) && format.nSamplesPerSec == endpoint_.rate &&
         format.nChannels == endpoint_.channels;
}

HRESULT Stream::refuse_process(const char* method, const char* what) {
  report().violation("not-implemented", method, std::string(what) + " on a process");
  return E_NOTIMPL;
}

HRESULT Stream::get_buffer_size(UINT32* frames) {
  constexpr const char* kWhere = "IAudioClient::GetBufferSize";
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (const HRESULT result = enter(kWhere); FAILED(result)) return result;
  if (!frames) return E_POINTER;
  if (!initialized_) return AUDCLNT_E_NOT_INITIALIZED;
  *frames = target_.is_process() ? kGarbageBufferSize : capacity();
  return S_OK;
}

HRESULT Stream::get_latency(REFERENCE_TIME* latency) {
  constexpr const char* kWhere = "IAudioClient::GetStreamLatency";
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (const HRESULT result = enter(kWhere); FAILED(result)) return result;
  if (!latency) return E_POINTER;
  if (target_.is_process()) return refuse_process(kWhere, "the latency");
  if (!initialized_) return AUDCLNT_E_NOT_INITIALIZED;
  *latency = 0;
  return S_OK;
}

HRESULT Stream::get_padding(UINT32* frames) {
  constexpr const char* kWhere = "IAudioClient::GetCurrentPadding";
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (const HRESULT result = enter(kWhere); FAILED(result)) return result;
  if (!frames) return E_POINTER;
  if (target_.is_process()) return refuse_process(kWhere, "the padding");
  if (!initialized_) return AUDCLNT_E_NOT_INITIALIZED;
  *frames = plays_ ? padding() : static_cast<UINT32>(queued_frames_);
  return S_OK;
}

std::uint32_t Stream::padding() const {
  if (!started_) return static_cast<std::uint32_t>(written_);
  const std::int64_t played = (qpc_100ns() - began_100ns_) * rate_ / 10'000'000;
  return static_cast<std::uint32_t>(
      std::max<std::int64_t>(0, static_cast<std::int64_t>(written_) - played));
}

HRESULT Stream::write_mix_format(WAVEFORMATEX** format) const {
  auto* const mix =
      static_cast<WAVEFORMATEXTENSIBLE*>(CoTaskMemAlloc(sizeof(WAVEFORMATEXTENSIBLE)));
  if (!mix) return E_OUTOFMEMORY;
  *mix = {};
  mix->Format.wFormatTag = kTagExtensible;
  mix->Format.nChannels = static_cast<WORD>(endpoint_.channels);
  mix->Format.nSamplesPerSec = endpoint_.rate;
  mix->Format.wBitsPerSample = 32;
  mix->Format.nBlockAlign = static_cast<WORD>(endpoint_.channels * 4);
  mix->Format.nAvgBytesPerSec = endpoint_.rate * mix->Format.nBlockAlign;
  mix->Format.cbSize = kExtensibleSize;
  mix->Samples.wValidBitsPerSample = 32;
  mix->dwChannelMask = endpoint_.placed ? (1U << endpoint_.channels) - 1 : 0;
  mix->SubFormat = kSubtypeFloat;
  *format = &mix->Format;
  return S_OK;
}

HRESULT Stream::is_supported(const WAVEFORMATEX* format, WAVEFORMATEX** closest) {
  constexpr const char* kWhere = "IAudioClient::IsFormatSupported";
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (const HRESULT result = enter(kWhere); FAILED(result)) return result;
  if (!format) return E_POINTER;
  if (closest) *closest = nullptr;
  if (target_.is_process()) return refuse_process(kWhere, "the question for a format");
  if (accepts(*format, 0)) return S_OK;
  if (!closest) return E_POINTER;
  const HRESULT result = write_mix_format(closest);
  return FAILED(result) ? result : S_FALSE;
}

HRESULT Stream::get_mix_format(WAVEFORMATEX** format) {
  constexpr const char* kWhere = "IAudioClient::GetMixFormat";
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (const HRESULT result = enter(kWhere); FAILED(result)) return result;
  if (!format) return E_POINTER;
  *format = nullptr;
  if (target_.is_process()) return refuse_process(kWhere, "the mix format");
  return write_mix_format(format);
}

HRESULT Stream::get_period(REFERENCE_TIME* usual, REFERENCE_TIME* least) {
  constexpr const char* kWhere = "IAudioClient::GetDevicePeriod";
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (const HRESULT result = enter(kWhere); FAILED(result)) return result;
  if (target_.is_process()) return refuse_process(kWhere, "the period");
  if (!usual && !least) return E_POINTER;
  if (usual) *usual = 100'000;
  if (least) *least = 30'000;
  return S_OK;
}

HRESULT Stream::set_event(HANDLE event) {
  constexpr const char* kWhere = "IAudioClient::SetEventHandle";
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (const HRESULT result = enter(kWhere); FAILED(result)) return result;
  if (!event) return E_INVALIDARG;
  if (!initialized_) return AUDCLNT_E_NOT_INITIALIZED;
  if (!(stream_flags_ & AUDCLNT_STREAMFLAGS_EVENTCALLBACK)) {
    return AUDCLNT_E_EVENTHANDLE_NOT_EXPECTED;
  }
  event_ = event;
  return S_OK;
}

HRESULT Stream::get_service(REFIID iid, void** out) {
  constexpr const char* kWhere = "IAudioClient::GetService";
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (const HRESULT result = enter(kWhere); FAILED(result)) return result;
  if (!out) return E_POINTER;
  *out = nullptr;
  if (!initialized_) return AUDCLNT_E_NOT_INITIALIZED;
  if (plays_) {
    if (iid != __uuidof(IAudioRenderClient)) return E_NOINTERFACE;
    *out = static_cast<IAudioRenderClient*>(new RenderClient(shared_from_this()));
    capture_alive_ = true;
    return S_OK;
  }
  if (iid != __uuidof(IAudioCaptureClient)) {
    if (target_.is_process()) report().violation("no-interface", kWhere, "not a capture client");
    return E_NOINTERFACE;
  }
  *out = static_cast<IAudioCaptureClient*>(new CaptureClient(shared_from_this()));
  capture_alive_ = true;
  return S_OK;
}

HRESULT Stream::start() {
  constexpr const char* kWhere = "IAudioClient::Start";
  const bool second = engine().is_second(*this);
  {
    const std::lock_guard lock(mutex_);
    check_owner(kWhere);
    if (const HRESULT result = enter(kWhere); FAILED(result)) return result;
    if (!initialized_) return AUDCLNT_E_NOT_INITIALIZED;
    if (started_) {
      report().violation("call-order", kWhere, "called a second time");
      return AUDCLNT_E_NOT_STOPPED;
    }
    if ((stream_flags_ & AUDCLNT_STREAMFLAGS_EVENTCALLBACK) && !event_) {
      report().violation("call-order", kWhere, "no event handle was set");
      return AUDCLNT_E_EVENTHANDLE_NOT_SET;
    }
    if (stopped_ && target_.is_process()) {
      report().violation("restart", kWhere, target_.name + " was stopped before");
    }
    const std::shared_ptr<const Script> script = current_script().get();
    settings_ = script->settings_of(target_.name);
    second_ = second && settings_.second != "heard";
    if (second_) report().violation("one-client", kWhere, target_.name);
    if (second_ && settings_.second == "refused") return AUDCLNT_E_DEVICE_IN_USE;
    clock_ = DeviceClock(rate_ * (1 + settings_.drift_ppm * 1e-6));
    // Streams begin at hundredths of a second: those of one rate share their packets' bounds.
    const std::int64_t grid = std::max<std::int64_t>(1, rate_ / 100);
    next_frame_ = (clock_.frame_at(qpc_100ns()) / grid + 1) * grid;
    first_frame_ = next_frame_;
    packet_number_ = 0;
    next_size_ = 0;
    discontinuity_ = target_.is_process();  // of the first packet; it means nothing
    unsignalled_ = 0;
    began_100ns_ = qpc_100ns();
    started_ = true;
    Line line("start");
    line.add("client", target_.name).add("thread", static_cast<std::int64_t>(owner_));
    line.add("pid", static_cast<std::int64_t>(target_.pid)).add("first_frame", first_frame_);
    report().write(line);
  }
  engine().add(shared_from_this());
  return S_OK;
}

HRESULT Stream::stop() {
  constexpr const char* kWhere = "IAudioClient::Stop";
  engine().remove(*this);
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  const bool was_started = started_;
  if (plays_) tell_rendering(false);
  if (started_) {
    Line line("stop");
    line.add("client", target_.name).add("packets", static_cast<std::int64_t>(packet_number_));
    report().write(line);
  }
  started_ = false;
  stopped_ = true;
  if (const HRESULT result = enter(kWhere); FAILED(result)) return result;
  if (!initialized_) return AUDCLNT_E_NOT_INITIALIZED;
  return was_started ? S_OK : S_FALSE;
}

HRESULT Stream::reset() {
  constexpr const char* kWhere = "IAudioClient::Reset";
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (const HRESULT result = enter(kWhere); FAILED(result)) return result;
  if (!initialized_) return AUDCLNT_E_NOT_INITIALIZED;
  if (started_) return AUDCLNT_E_NOT_STOPPED;
  if (buffer_held_) return AUDCLNT_E_BUFFER_OPERATION_PENDING;
  if (target_.is_process()) report().violation("restart", kWhere, target_.name);
  queue_.clear();
  queued_frames_ = 0;
  return S_OK;
}

void Stream::client_released() {
  constexpr const char* kWhere = "IAudioClient::Release";
  engine().remove(*this);
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (started_) report().violation("release-order", kWhere, target_.name + " was not stopped");
  if (capture_alive_) {
    report().violation("release-order", kWhere, target_.name + ": before its IAudioCaptureClient");
  }
  if (event_) {
    DWORD flags = 0;
    if (!GetHandleInformation(event_, &flags)) {
      report().violation("release-order", kWhere, target_.name + ": its event was closed before");
    }
  }
  started_ = false;
}

HRESULT Stream::get_render_buffer(UINT32 frames, BYTE** data) {
  constexpr const char* kWhere = "IAudioRenderClient::GetBuffer";
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (!data) return E_POINTER;
  *data = nullptr;
  if (const HRESULT result = enter(kWhere); FAILED(result)) return result;
  if (buffer_held_) {
    report().violation("call-order", kWhere, "the buffer before was not released");
    return AUDCLNT_E_OUT_OF_ORDER;
  }
  if (frames > capacity() - padding()) return AUDCLNT_E_BUFFER_TOO_LARGE;
  memory_.assign(static_cast<std::size_t>(frames) * channels_ *
                     (floats_ ? sizeof(float) : sizeof(std::int16_t)),
                 kUndefined);
  buffer_held_ = true;
  *data = memory_.data();
  return S_OK;
}

HRESULT Stream::release_render_buffer(UINT32 frames, DWORD flags) {
  constexpr const char* kWhere = "IAudioRenderClient::ReleaseBuffer";
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (const HRESULT result = enter(kWhere); FAILED(result)) return result;
  if (!buffer_held_) {
    report().violation("call-order", kWhere, "there is no buffer");
    return AUDCLNT_E_OUT_OF_ORDER;
  }
  buffer_held_ = false;
  written_ += frames;
  const bool sound = !(flags & AUDCLNT_BUFFERFLAGS_SILENT) &&
                     std::any_of(memory_.begin(), memory_.end(), [](BYTE one) { return one != 0; });
  if (frames > 0) tell_rendering(sound);
  return S_OK;
}

void Stream::capture_released() {
  constexpr const char* kWhere = "IAudioCaptureClient::Release";
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (buffer_held_) report().violation("release-order", kWhere, target_.name + " holds a buffer");
  capture_alive_ = false;
}

HRESULT Stream::next_packet_size(UINT32* frames) {
  constexpr const char* kWhere = "IAudioCaptureClient::GetNextPacketSize";
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (!frames) return E_POINTER;
  *frames = 0;
  if (const HRESULT result = enter(kWhere); FAILED(result)) return result;
  *frames = queue_.empty() ? 0 : queue_.front().frames;
  return S_OK;
}

HRESULT Stream::get_buffer(BYTE** data, UINT32* frames, DWORD* flags, UINT64* position,
                           UINT64* qpc) {
  constexpr const char* kWhere = "IAudioCaptureClient::GetBuffer";
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  if (!data || !frames || !flags) return E_POINTER;
  *data = nullptr;
  *frames = 0;
  if (const HRESULT result = enter(kWhere); result != S_OK) return result;
  if (buffer_held_) {
    report().violation("call-order", kWhere, "the packet before was not released");
    return AUDCLNT_E_OUT_OF_ORDER;
  }
  if (queue_.empty()) return AUDCLNT_S_BUFFER_EMPTY;
  const Packet& packet = queue_.front();
  const std::size_t samples = static_cast<std::size_t>(packet.frames) * channels_;
  memory_.assign(samples * (floats_ ? sizeof(float) : sizeof(std::int16_t)), kUndefined);
  if (!packet.silent) {
    mixed_.assign(samples, 0.0F);
    add_voices(packet.voices, clock_, packet.first_frame, packet.frames, channels_, mixed_.data());
    if (floats_) {
      std::memcpy(memory_.data(), mixed_.data(), samples * sizeof(float));
    } else {
      for (std::size_t i = 0; i < samples; ++i) {
        const auto value = static_cast<std::int16_t>(std::lround(mixed_[i] * 32767));
        std::memcpy(memory_.data() + i * sizeof value, &value, sizeof value);
      }
    }
  }
  buffer_held_ = true;
  *data = memory_.data();
  *frames = packet.frames;
  *flags = packet.flags;
  if (position) {
    const std::int64_t frame = packet.first_frame - first_frame_;
    *position = target_.is_process() ? 0 : static_cast<UINT64>(frame);
  }
  if (qpc) *qpc = static_cast<UINT64>(packet.stamp);
  return S_OK;
}

HRESULT Stream::release_buffer(UINT32 frames) {
  constexpr const char* kWhere = "IAudioCaptureClient::ReleaseBuffer";
  const std::int64_t now = qpc_100ns();
  const std::lock_guard lock(mutex_);
  check_owner(kWhere);
  const HRESULT result = enter(kWhere);
  if (!buffer_held_) {
    if (SUCCEEDED(result)) report().violation("call-order", kWhere, "there is no packet");
    return FAILED(result) ? result : AUDCLNT_E_OUT_OF_ORDER;
  }
  if (frames != 0 && frames != queue_.front().frames) {
    report().violation("call-order", kWhere, "neither all frames of the packet nor none");
    return AUDCLNT_E_INVALID_SIZE;
  }
  buffer_held_ = false;
  std::fill(memory_.begin(), memory_.end(), kTakenBack);
  if (frames != 0) {
    handovers().add(now - queue_.front().put_100ns);
    queued_frames_ -= queue_.front().frames;
    queue_.pop_front();
  }
  return result;
}

void Stream::tick(std::int64_t now, const Script& script, const Mix& mix) {
  const std::lock_guard lock(mutex_);
  if (!started_ || plays_ || life_.died_of() != S_OK) return;
  if (!script.service_running) {
    life_.die(AUDCLNT_E_SERVICE_NOT_RUNNING);
    return;
  }
  if (!target_.is_process()) {
    const auto here = std::find_if(script.endpoints.begin(), script.endpoints.end(),
                                   [&](const auto& one) { return one.id == target_.endpoint; });
    // Another format of the device also ends its streams.
    if (here == script.endpoints.end() || here->state != "active" || here->rate != endpoint_.rate ||
        here->channels != endpoint_.channels) {
      life_.die(AUDCLNT_E_DEVICE_INVALIDATED);
      signal();
      return;
    }
  }
  const std::int64_t until =
      clock_.frame_at(now - static_cast<std::int64_t>(settings_.latency_ms) * 10'000);
  for (;;) {
    const std::uint32_t frames = settings_.frames[next_size_ % settings_.frames.size()];
    if (next_frame_ + frames > until) return;
    ++next_size_;
    make_packet(frames, script, mix);
    next_frame_ += frames;
    ++packet_number_;
  }
}

void Stream::make_packet(std::uint32_t frames, const Script& script, const Mix& mix) {
  Packet packet;
  packet.first_frame = next_frame_;
  packet.frames = frames;
  packet.stamp = clock_.time_of(next_frame_);
  if (settings_.jitter_us > 0) {
    jitter_state_ = jitter_state_ * 6364136223846793005U + 1442695040888963407U;
    const double random = static_cast<double>(jitter_state_ >> 11) * 0x1p-52 - 1;  // -1..1
    packet.stamp += std::llround(random * settings_.jitter_us * 10);
  }
  const bool heard = mix.playing && !second_;
  if (heard) packet.voices = mix.voices;
  bool lost = !heard && settings_.idle == "nothing" && target_.is_process();
  packet.silent = !heard && settings_.idle == "silent" && target_.is_process();
  bool hold = false;
  bool with_event = settings_.events;
  bool extra_event = false;
  for (const PacketRule& rule : script.packets) {
    if (!matches(rule.target, target_.name) || !rule.covers(packet_number_)) continue;
    if (rule.what == "lost") {
      lost = true;
    } else if (rule.what == "lost_flagged") {
      lost = true;
      discontinuity_ = true;
    } else if (rule.what == "silent") {
      packet.silent = true;
    } else if (rule.what == "zeros") {
      packet.voices.clear();
      packet.silent = false;
    } else if (rule.what == "discontinuity") {
      packet.flags |= AUDCLNT_BUFFERFLAGS_DATA_DISCONTINUITY;
    } else if (rule.what == "timestamp_error") {
      packet.flags |= AUDCLNT_BUFFERFLAGS_TIMESTAMP_ERROR;
    } else if (rule.what == "stamp_zero") {
      packet.stamp = 0;
    } else if (rule.what == "shift") {
      packet.stamp += std::llround(rule.ms * 10'000);
    } else if (rule.what == "hold") {
      hold = true;
    } else if (rule.what == "lost_event") {
      with_event = false;
    } else if (rule.what == "extra_event") {
      extra_event = true;
    }
  }
  if (extra_event) signal();
  if (lost) return;
  if (packet.silent) packet.flags |= AUDCLNT_BUFFERFLAGS_SILENT;
  if (discontinuity_) packet.flags |= AUDCLNT_BUFFERFLAGS_DATA_DISCONTINUITY;
  discontinuity_ = false;
  if (hold) {
    held_back_.push_back(std::move(packet));
    return;
  }
  for (Packet& late : held_back_) deliver(std::move(late), false);
  held_back_.clear();
  deliver(std::move(packet), with_event);
}

void Stream::deliver(Packet packet, bool with_event) {
  queued_frames_ += packet.frames;
  packet.put_100ns = qpc_100ns();
  queue_.push_back(std::move(packet));
  const std::uint64_t capacity = static_cast<std::uint64_t>(settings_.capacity_ms) * rate_ / 1000;
  // The oldest goes, but never the packet that the client holds.
  while (queued_frames_ > capacity && queue_.size() > (buffer_held_ ? 2U : 1U)) {
    const auto oldest = queue_.begin() + (buffer_held_ ? 1 : 0);
    queued_frames_ -= oldest->frames;
    const auto next = queue_.erase(oldest);
    next->flags |= AUDCLNT_BUFFERFLAGS_DATA_DISCONTINUITY;
  }
  if (!with_event) return;
  if (++unsignalled_ < settings_.per_event) return;
  unsignalled_ = 0;
  signal();
}

void Stream::signal() {
  if (event_ && !SetEvent(event_)) {
    report().violation("release-order", "IAudioClient", target_.name + ": its event was closed");
    event_ = nullptr;
  }
}

IAudioClient* make_audio_client(Target target, EndpointRule endpoint) {
  return new AudioClient(std::make_shared<Stream>(std::move(target), std::move(endpoint)));
}

}  // namespace fake
