// SPDX-License-Identifier: MIT
#include "capture/wasapi/capture_client.hpp"

#include <audioclient.h>
#include <mmdeviceapi.h>
#include <windows.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "capture/wasapi/com.hpp"
#include "capture/wasapi/device_enumerator.hpp"
#include "capture/wasapi/float_format.hpp"
#include "capture/wasapi/input_refusal.hpp"
#include "capture/wasapi/packet_log.hpp"
#include "capture/wasapi/process_loopback.hpp"
#include "capture/wasapi/windows_version.hpp"
#include "core/host_clock.hpp"
#include "core/status.hpp"
#include "core/thread_role.hpp"
#include "os/thread_priority.hpp"
#include "os/windows/handle.hpp"
#include "os/windows/ms_until.hpp"
#include "os/windows/open_process.hpp"
#include "os/windows/process_start_time.hpp"

namespace pypac {
namespace {

using Step = CaptureClient::Step;

constexpr int kPriority = 20;            // Windows has one for audio, whatever is asked for
constexpr DWORD kActivationTime = 5000;  // ms; a hanging audio service has been seen
// Events get lost: packets are looked for at least so often.
constexpr DWORD kLongestWait = 100;                          // ms
constexpr REFERENCE_TIME kBufferTime = 200 * 10'000LL;       // 200 ms; process loopback ignores it
constexpr std::array<DWORD, 3> kRetryAfter{200, 500, 1000};  // ms
constexpr DWORD kRetryAlwaysAfter = 2000;                    // ms
// What has been open for so long counts as mended: some devices open, and break off at once.
constexpr HostTime kMended = std::chrono::seconds(1);

constexpr std::array<const char*, static_cast<std::size_t>(Step::count_)> kSteps{
    "",
    "COM cannot be initialised",
    "the program has ended, and its process ID may be another's",
    "the capture cannot be activated",
    "the audio service does not complete the activation",
    "the device has no input of the number that `channels` names",
    "the capture cannot be initialised",
    "the capture takes no event",
    "the capture gives no packets",
    "the capture cannot be started",
    "the capture broke off"};

PacketRecord record_of(const LoopbackPacket& packet) noexcept {
  PacketRecord record{packet.frames, packet.qpc_100ns,     packet.received,
                      packet.silent, packet.discontinuity, packet.timestamp_error};
  if (packet.silent || !packet.interleaved) return record;
  for (std::uint32_t i = 0; i < packet.frames * kTapChannels; ++i)
    record.peak = std::max(record.peak, std::abs(packet.interleaved[i]));
  return record;
}

/// What an endpoint brings, and which of its channels are left and right, from 1; 0: as they come.
struct EndpointChannels {
  WAVEFORMATEXTENSIBLE format{};
  std::uint32_t left = 0;
  std::uint32_t right = 0;
};

/// Which format to ask an endpoint for: stereo, mixed by Windows, or all of its channels, to pick
/// from them. By default the first of three or more that have no place (no mask), as elsewhere.
HRESULT endpoint_channels(IAudioClient& client, const CaptureTarget& target,
                          EndpointChannels& channels) noexcept {
  channels.format = float_format(CaptureClient::kRate, kTapChannels);
  WAVEFORMATEX* mix = nullptr;
  const HRESULT result = client.GetMixFormat(&mix);
  if (FAILED(result)) return target.left == 0 ? S_OK : result;
  const std::uint32_t count = mix->nChannels;
  const bool extensible = mix->wFormatTag == WAVE_FORMAT_EXTENSIBLE;
  const DWORD mask =
      extensible ? reinterpret_cast<const WAVEFORMATEXTENSIBLE*>(mix)->dwChannelMask : 0;
  CoTaskMemFree(mix);
  channels.left = target.left;
  channels.right = target.right;
  if (target.left == 0 && extensible && mask == 0 && count > kTapChannels)
    channels.left = channels.right = 1;
  if (channels.left == 0) return S_OK;
  if (std::max(channels.left, channels.right) > count) return E_INVALIDARG;
  channels.format = float_format(CaptureClient::kRate, count);
  if (extensible) channels.format.dwChannelMask = mask;
  return S_OK;
}

/// The COM objects of one attempt, released in the order that Windows wants.
struct OpenCapture {
  Handle process;  // of a tree: nobody else gets the PID. Empty: Windows refuses it
  ComPtr<IAudioClient> client;
  ComPtr<IAudioCaptureClient> capture;
  Handle event;
  bool started = false;
  EndpointChannels channels;
  std::vector<float> picked;  // room for a packet's left and right; empty: they come so

  ~OpenCapture() {
    if (started) client->Stop();
    capture.reset();
    client.reset();
    event.reset();
  }
};

/// [capture-thread] Puts the chosen channels of a packet into `picked`. None is longer than the
/// buffer that it has come from.
void pick(OpenCapture& open, const float* interleaved, std::uint32_t frames) noexcept {
  const std::size_t channels = open.channels.format.Format.nChannels;
  assert(std::size_t{frames} * kTapChannels <= open.picked.size());
  for (std::size_t i = 0; i < frames; ++i) {
    open.picked[kTapChannels * i] = interleaved[channels * i + open.channels.left - 1];
    open.picked[kTapChannels * i + 1] = interleaved[channels * i + open.channels.right - 1];
  }
}

}  // namespace

struct CaptureClient::Shared {
  /// A place where packets go.
  struct Slot {
    std::shared_ptr<Tap> tap;       // control thread, while the slot is off
    std::atomic<bool> on{false};    // control thread
    std::atomic<bool> busy{false};  // capture thread
  };

  Shared(CaptureTarget what, std::shared_ptr<PacketLog> into)
      : target(std::move(what)),
        log(std::move(into)),
        stop_event(CreateEventW(nullptr, TRUE, FALSE, nullptr)),
        ended_event(CreateEventW(nullptr, TRUE, FALSE, nullptr)) {}

  // The thread.
  void run() noexcept;
  [[nodiscard]] bool stopping(DWORD wait_ms = 0) const noexcept {
    return WaitForSingleObject(stop_event.get(), wait_ms) == WAIT_OBJECT_0;
  }
  [[nodiscard]] HRESULT pin(Handle& process) noexcept;
  [[nodiscard]] HRESULT activate(ComPtr<IAudioClient>& client) noexcept;
  [[nodiscard]] HRESULT open(OpenCapture& open) noexcept;
  [[nodiscard]] HRESULT read(OpenCapture& open) noexcept;
  [[nodiscard]] HRESULT drain(OpenCapture& open) noexcept;
  void push(const LoopbackPackets::Taken& taken) noexcept;
  void fail(HRESULT result) noexcept;

  // Any thread.
  [[nodiscard]] std::optional<InputRefusal> refusal() const noexcept;

  const CaptureTarget target;
  const std::shared_ptr<PacketLog> log;  // nullptr: nobody looks at single packets
  const Handle stop_event;               // manual: whoever waits for it sees it
  const Handle ended_event;
  std::array<Slot, kMaxTaps> slots;
  std::atomic<std::size_t> slot_count{0};
  LoopbackPackets packets{kRate};

  // The thread writes, any thread reads.
  std::atomic<State> state{State::opening};
  std::atomic<Step> failed_step{Step::none};
  std::atomic<long> failed_code{0};
  std::atomic<std::uint32_t> failures{0};
  std::atomic<std::uint32_t> opened{0};
  std::atomic<bool> realtime{false};

  Step step = Step::none;  // the thread's: what it is about to do
};

void CaptureClient::Shared::run() noexcept {
  {
    const ScopedApartment apartment;
    realtime.store(raise_thread_priority(kPriority).realtime);
    for (;;) {
      step = Step::apartment;
      HRESULT result = apartment.result();
      if (SUCCEEDED(result)) {
        OpenCapture capture;
        result = open(capture);
        if (SUCCEEDED(result)) {
          opened.fetch_add(1);
          state.store(State::running);
          result = read(capture);
        }
      }
      if (stopping()) break;
      fail(result);
      const std::uint32_t attempt = failures.load() - 1;
      const DWORD delay = attempt < kRetryAfter.size() ? kRetryAfter[attempt] : kRetryAlwaysAfter;
      if (stopping(delay)) break;
    }
  }
  state.store(State::ended);
  SetEvent(ended_event.get());
}

void CaptureClient::Shared::fail(HRESULT result) noexcept {
  failed_code.store(result);
  failed_step.store(step);
  failures.fetch_add(1);
  state.store(State::failed);
}

std::optional<InputRefusal> CaptureClient::Shared::refusal() const noexcept {
  if (target.kind != CaptureTarget::Kind::endpoint) return std::nullopt;
  return input_refusal(failed_code.load());
}

HRESULT CaptureClient::Shared::pin(Handle& process) noexcept {
  step = Step::identity;
  if (target.kind != CaptureTarget::Kind::tree || target.start_time == 0) return S_OK;
  const HRESULT other = HRESULT_FROM_WIN32(ERROR_INVALID_PARAMETER);  // as Windows says it
  process = open_process(target.pid);
  // Who shields itself is captured all the same; a PID that nobody has may be given out at once.
  if (!process) return GetLastError() == ERROR_INVALID_PARAMETER ? other : S_OK;
  const std::uint64_t started = process_start_time(process.get());
  return started == 0 || started == target.start_time ? S_OK : other;
}

HRESULT CaptureClient::Shared::activate(ComPtr<IAudioClient>& client) noexcept {
  step = Step::activate;
  if (target.kind == CaptureTarget::Kind::endpoint) {
    ComPtr<IMMDeviceEnumerator> devices;
    HRESULT result = open_devices(devices);
    if (FAILED(result)) return result;
    ComPtr<IMMDevice> device;
    result = devices->GetDevice(target.endpoint_id.c_str(), device.put());
    if (FAILED(result)) return result;
    return device->Activate(__uuidof(IAudioClient), CLSCTX_ALL, nullptr, client.put_void());
  }
  ComPtr<ProcessLoopbackActivation> activation;
  const HRESULT result = ProcessLoopbackActivation::begin(
      static_cast<std::uint32_t>(target.pid), target.kind == CaptureTarget::Kind::all_but_tree,
      activation);
  if (FAILED(result)) {
    if (activation) activation->abandon();
    return result;
  }
  const std::array<HANDLE, 2> events{stop_event.get(), activation->completed()};
  const DWORD woken = WaitForMultipleObjects(static_cast<DWORD>(events.size()), events.data(),
                                             FALSE, kActivationTime);
  if (woken == WAIT_OBJECT_0 + 1) return activation->take(client);
  activation->abandon();
  step = Step::activation_time;
  return woken == WAIT_OBJECT_0 ? E_ABORT : HRESULT_FROM_WIN32(ERROR_TIMEOUT);
}

HRESULT CaptureClient::Shared::open(OpenCapture& open) noexcept {
  // Process loopback has no format of its own that could be asked for.
  WAVEFORMATEXTENSIBLE format = float_format(kRate, kTapChannels);
  constexpr DWORD kConvert =
      AUDCLNT_STREAMFLAGS_AUTOCONVERTPCM | AUDCLNT_STREAMFLAGS_SRC_DEFAULT_QUALITY;
  const bool endpoint = target.kind == CaptureTarget::Kind::endpoint;
  const DWORD flags = endpoint ? AUDCLNT_STREAMFLAGS_EVENTCALLBACK | kConvert
                               : AUDCLNT_STREAMFLAGS_EVENTCALLBACK | AUDCLNT_STREAMFLAGS_LOOPBACK;
  HRESULT result = pin(open.process);
  if (FAILED(result)) return result;
  result = activate(open.client);
  if (FAILED(result)) return result;
  if (endpoint) {
    step = Step::inputs;
    result = endpoint_channels(*open.client.get(), target, open.channels);
    if (FAILED(result)) return result;
    format = open.channels.format;
  }
  step = Step::initialize;
  result = open.client->Initialize(AUDCLNT_SHAREMODE_SHARED, flags, kBufferTime, 0, &format.Format,
                                   nullptr);
  if (FAILED(result) && !endpoint && !stopping()) {
    // A client that has failed to initialise is not to be used again.
    open.client.reset();
    result = activate(open.client);
    if (FAILED(result)) return result;
    step = Step::initialize;
    result = open.client->Initialize(AUDCLNT_SHAREMODE_SHARED, flags | kConvert, kBufferTime, 0,
                                     &format.Format, nullptr);
  }
  if (FAILED(result)) return result;
  if (open.channels.left != 0) {
    UINT32 most = 0;
    result = open.client->GetBufferSize(&most);
    if (FAILED(result)) return result;
    open.picked.resize(std::size_t{most} * kTapChannels);
  }
  step = Step::event;
  open.event = Handle(CreateEventW(nullptr, FALSE, FALSE, nullptr));
  if (!open.event) return HRESULT_FROM_WIN32(GetLastError());
  result = open.client->SetEventHandle(open.event.get());
  if (FAILED(result)) return result;
  step = Step::service;
  result = open.client->GetService(__uuidof(IAudioCaptureClient), open.capture.put_void());
  if (FAILED(result)) return result;
  step = Step::start;
  if (stopping()) return E_ABORT;
  packets.begin(SystemClock().now());
  result = open.client->Start();
  open.started = SUCCEEDED(result);
  return result;
}

HRESULT CaptureClient::Shared::read(OpenCapture& open) noexcept {
  const ScopedThreadRole role(ThreadRole::capture);
  step = Step::read;
  const std::array<HANDLE, 2> events{stop_event.get(), open.event.get()};
  const HostTime mended_at = SystemClock().now() + kMended;
  for (;;) {
    const DWORD woken = WaitForMultipleObjects(static_cast<DWORD>(events.size()), events.data(),
                                               FALSE, kLongestWait);
    if (woken == WAIT_OBJECT_0) return S_OK;
    if (woken == WAIT_FAILED) return HRESULT_FROM_WIN32(GetLastError());
    const HRESULT result = drain(open);
    if (FAILED(result)) return result;
    if (failures.load() != 0 && SystemClock().now() >= mended_at) failures.store(0);
  }
}

HRESULT CaptureClient::Shared::drain(OpenCapture& open) noexcept {
  IAudioCaptureClient& capture = *open.capture.get();
  while (!stopping()) {
    UINT32 waiting = 0;
    HRESULT result = capture.GetNextPacketSize(&waiting);
    if (FAILED(result) || waiting == 0) return result;
    BYTE* data = nullptr;
    UINT32 frames = 0;
    DWORD flags = 0;
    UINT64 device_position = 0;  // stays 0 with process loopback
    UINT64 qpc = 0;
    result = capture.GetBuffer(&data, &frames, &flags, &device_position, &qpc);
    if (FAILED(result) || result == AUDCLNT_S_BUFFER_EMPTY) return result;
    if (frames > 0) {
      LoopbackPacket packet;
      packet.interleaved = reinterpret_cast<const float*>(data);
      if (open.channels.left != 0) {
        pick(open, packet.interleaved, frames);
        packet.interleaved = open.picked.data();
      }
      packet.frames = frames;
      packet.qpc_100ns = qpc;
      packet.received = SystemClock().now();
      packet.silent = (flags & AUDCLNT_BUFFERFLAGS_SILENT) != 0;
      packet.discontinuity = (flags & AUDCLNT_BUFFERFLAGS_DATA_DISCONTINUITY) != 0;
      packet.timestamp_error = (flags & AUDCLNT_BUFFERFLAGS_TIMESTAMP_ERROR) != 0;
      if (log) log->write(record_of(packet));
      push(packets.take(packet));
    }
    result = capture.ReleaseBuffer(frames);
    if (FAILED(result)) return result;
  }
  return S_OK;
}

void CaptureClient::Shared::push(const LoopbackPackets::Taken& taken) noexcept {
  const std::size_t count = slot_count.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) {
    Slot& slot = slots[i];
    slot.busy.store(true);
    if (slot.on.load()) slot.tap->push(taken.reading, taken.interleaved);
    slot.busy.store(false);
  }
}

CaptureClient::CaptureClient(CaptureTarget target, std::shared_ptr<PacketLog> log)
    : shared_(std::make_shared<Shared>(std::move(target), std::move(log))) {
  PYPAC_ASSERT_NOT_REALTIME();
  if (!shared_->stop_event || !shared_->ended_event) {
    throw Failure(ErrorKind::backend_unavailable, "Windows gives no event for a capture", "",
                  static_cast<long>(GetLastError()));
  }
  try {
    thread_ = std::thread([shared = shared_] { shared->run(); });
  } catch (const std::system_error& error) {
    throw Failure(ErrorKind::backend_unavailable, "Windows gives no thread for a capture", "",
                  error.code().value());
  }
}

CaptureClient::~CaptureClient() {
  stop();
}

const CaptureTarget& CaptureClient::target() const noexcept {
  return shared_->target;
}

bool CaptureClient::attach(std::shared_ptr<Tap> tap) {
  const std::size_t count = shared_->slot_count.load();
  std::size_t at = 0;
  while (at < count && shared_->slots[at].on.load()) ++at;
  if (at == kMaxTaps) return false;
  Shared::Slot& slot = shared_->slots[at];
  while (slot.busy.load()) std::this_thread::yield();
  slot.tap = std::move(tap);
  slot.on.store(true);
  if (at == count) shared_->slot_count.store(count + 1, std::memory_order_release);
  return true;
}

void CaptureClient::detach(const Tap& tap) noexcept {
  for (std::size_t i = 0; i < shared_->slot_count.load(); ++i) {
    Shared::Slot& slot = shared_->slots[i];
    if (slot.tap.get() != &tap || !slot.on.load()) continue;
    slot.on.store(false);
    // The thread raises `busy` before it looks at `on`; a packet later it is down.
    while (slot.busy.load()) std::this_thread::yield();
  }
}

void CaptureClient::ask_to_stop() noexcept {
  SetEvent(shared_->stop_event.get());
}

void CaptureClient::stop() noexcept {
  PYPAC_ASSERT_NOT_REALTIME();
  stop_by(SystemClock().now() + kStopTime);
}

void CaptureClient::stop_by(HostTime deadline) noexcept {
  if (!thread_.joinable()) return;
  ask_to_stop();
  for (std::size_t i = 0; i < shared_->slot_count.load(); ++i) {
    Shared::Slot& slot = shared_->slots[i];
    if (slot.on.load()) detach(*slot.tap);
  }
  if (WaitForSingleObject(shared_->ended_event.get(), ms_until(deadline)) == WAIT_OBJECT_0) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

CaptureClient::State CaptureClient::state() const noexcept {
  return shared_->state.load();
}

std::string CaptureClient::failure() const {
  const Step step = shared_->failed_step.load();
  if (step == Step::none) return {};
  const std::optional<InputRefusal> refusal = shared_->refusal();
  return failure_text(refusal ? refusal->why : kSteps[static_cast<std::size_t>(step)],
                      shared_->failed_code.load());
}

std::string CaptureClient::remedy() const {
  const std::optional<InputRefusal> refusal = shared_->refusal();
  return refusal ? refusal->remedy : "";
}

long CaptureClient::failure_code() const noexcept {
  return shared_->failed_code.load();
}
std::uint32_t CaptureClient::failures() const noexcept {
  return shared_->failures.load();
}
std::uint32_t CaptureClient::opened() const noexcept {
  return shared_->opened.load();
}
bool CaptureClient::realtime() const noexcept {
  return shared_->realtime.load();
}
const LoopbackPackets& CaptureClient::packets() const noexcept {
  return shared_->packets;
}

}  // namespace pypac
