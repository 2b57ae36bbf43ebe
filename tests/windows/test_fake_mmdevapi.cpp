// SPDX-License-Identifier: MIT
// The double itself: that it behaves as Windows is said to, and that it sees who misbehaves.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <numbers>
#include <string>
#include <thread>
#include <vector>

#include "fake_audio.hpp"
#include "fake_mmdevapi/com_object.hpp"
#include "fake_mmdevapi/process_tree.hpp"
#include "fake_mmdevapi/script.hpp"
#include "fake_mmdevapi/windows_headers.hpp"

namespace {

using fake::ComPointer;
using fake::FakeAudio;
using fake::Seen;

constexpr DWORD kPatienceMs = 20'000;  // a busy machine's
constexpr HRESULT kIllegalMethodCall = static_cast<HRESULT>(0x8000000e);
constexpr std::uint32_t kRate = 48000;

template <class Function>
Function symbol(const char* name) {
  const HMODULE module = GetModuleHandleW(L"mmdevapi.dll");
  REQUIRE(module);
  return reinterpret_cast<Function>(reinterpret_cast<void*>(GetProcAddress(module, name)));
}

/// A thread's place in the multithreaded apartment.
struct Apartment {
  Apartment() { REQUIRE(SUCCEEDED(CoInitializeEx(nullptr, COINIT_MULTITHREADED))); }
  ~Apartment() { CoUninitialize(); }
};

/// Runs something on a thread of its own, in the multithreaded apartment.
void elsewhere(const std::function<void()>& what) {
  std::thread([&] {
    const Apartment apartment;
    what();
  }).join();
}

/// The client's side of an activation.
class Handler final : public IActivateAudioInterfaceCompletionHandler, public IAgileObject {
 public:
  explicit Handler(bool agile = true) : agile_(agile) {}
  virtual ~Handler() {
    // The double may let go of it later than it has called it, as Windows does.
    for (DWORD waited = 0; references.load() > 1 && waited < kPatienceMs; ++waited) Sleep(1);
    CHECK(references.load() == 1);
    CloseHandle(done);
  }

  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void** out) override {
    *out = nullptr;
    if (iid == __uuidof(IUnknown) || iid == __uuidof(IActivateAudioInterfaceCompletionHandler)) {
      *out = static_cast<IActivateAudioInterfaceCompletionHandler*>(this);
    } else if (agile_ && iid == __uuidof(IAgileObject)) {
      *out = static_cast<IAgileObject*>(this);
    }
    if (!*out) return E_NOINTERFACE;
    AddRef();
    return S_OK;
  }
  // It lives on the stack: nobody ends it.
  ULONG STDMETHODCALLTYPE AddRef() override { return ++references; }
  ULONG STDMETHODCALLTYPE Release() override { return --references; }
  HRESULT STDMETHODCALLTYPE
  ActivateCompleted(IActivateAudioInterfaceAsyncOperation* operation) override {
    thread = GetCurrentThreadId();
    IUnknown* unknown = nullptr;
    outer = operation->GetActivateResult(&result, &unknown);
    if (unknown) {
      void* found = nullptr;
      unknown->QueryInterface(__uuidof(IAudioClient), &found);
      unknown->Release();
      client = ComPointer<IAudioClient>(static_cast<IAudioClient*>(found));
    }
    SetEvent(done);
    return S_OK;
  }

  std::atomic<ULONG> references{1};
  HANDLE done = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  DWORD thread = 0;
  HRESULT outer = E_FAIL;
  HRESULT result = E_FAIL;
  ComPointer<IAudioClient> client;

 private:
  const bool agile_;
};

struct Parameters {
  std::int32_t type = 1;
  DWORD pid = GetCurrentProcessId();
  std::int32_t mode = 0;
};

using Activate = HRESULT(WINAPI*)(LPCWSTR, REFIID, PROPVARIANT*,
                                  IActivateAudioInterfaceCompletionHandler*,
                                  IActivateAudioInterfaceAsyncOperation**);

HRESULT activate(Handler& handler, Parameters& parameters) {
  PROPVARIANT variant{};
  variant.vt = VT_BLOB;
  variant.blob.cbSize = sizeof parameters;
  variant.blob.pBlobData = reinterpret_cast<BYTE*>(&parameters);
  IActivateAudioInterfaceAsyncOperation* operation = nullptr;
  const HRESULT result = symbol<Activate>("ActivateAudioInterfaceAsync")(
      L"VAD\\Process_Loopback", __uuidof(IAudioClient), &variant, &handler, &operation);
  if (FAILED(result)) return result;
  const ComPointer<IActivateAudioInterfaceAsyncOperation> held(operation);
  REQUIRE(WaitForSingleObject(handler.done, kPatienceMs) == WAIT_OBJECT_0);
  return result;
}

WAVEFORMATEXTENSIBLE format(WORD channels = 2) {
  WAVEFORMATEXTENSIBLE wanted{};
  wanted.Format.wFormatTag = WAVE_FORMAT_EXTENSIBLE;
  wanted.Format.nChannels = channels;
  wanted.Format.nSamplesPerSec = kRate;
  wanted.Format.wBitsPerSample = 32;
  wanted.Format.nBlockAlign = static_cast<WORD>(4 * channels);
  wanted.Format.nAvgBytesPerSec = kRate * wanted.Format.nBlockAlign;
  wanted.Format.cbSize = 22;
  wanted.Samples.wValidBitsPerSample = 32;
  wanted.dwChannelMask = 3;
  wanted.SubFormat = {0x00000003, 0x0000, 0x0010, {0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71}};
  return wanted;
}

constexpr DWORD kLoopback = AUDCLNT_STREAMFLAGS_LOOPBACK | AUDCLNT_STREAMFLAGS_EVENTCALLBACK;

struct Packet {
  std::vector<float> frames;  // interleaved
  std::vector<BYTE> bytes;
  DWORD flags = 0;
  UINT64 position = 0;
  UINT64 stamp = 0;
};

/// A client as one should be. Its end is as it should be as well.
class Capture {
 public:
  explicit Capture(DWORD pid = GetCurrentProcessId(), std::int32_t mode = 0) {
    Handler handler;
    Parameters parameters{1, pid, mode};
    REQUIRE(activate(handler, parameters) == S_OK);
    REQUIRE(handler.outer == S_OK);
    REQUIRE(handler.result == S_OK);
    open(std::move(handler.client), kLoopback);
  }
  Capture(ComPointer<IAudioClient> of, DWORD flags) { open(std::move(of), flags); }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() {
    client->Stop();
    capture = {};
    client = {};
    CloseHandle(event);
  }

  void start() const { REQUIRE(client->Start() == S_OK); }

  /// The next packets, by event, with the time-out that lost events make needed.
  std::vector<Packet> take(std::size_t count) {
    std::vector<Packet> packets;
    const ULONGLONG end = GetTickCount64() + kPatienceMs;
    while (packets.size() < count) {
      REQUIRE(GetTickCount64() < end);
      if (WaitForSingleObject(event, 50) == WAIT_OBJECT_0) ++events;
      UINT32 waiting = 0;
      while (packets.size() < count && capture->GetNextPacketSize(&waiting) == S_OK &&
             waiting > 0) {
        packets.push_back(one());
      }
    }
    return packets;
  }

  Packet one() const {
    Packet packet;
    BYTE* data = nullptr;
    UINT32 frames = 0;
    REQUIRE(capture->GetBuffer(&data, &frames, &packet.flags, &packet.position, &packet.stamp) ==
            S_OK);
    packet.bytes.assign(data, data + static_cast<std::size_t>(frames) * 8);
    const auto* const samples = reinterpret_cast<const float*>(data);
    packet.frames.assign(samples, samples + static_cast<std::size_t>(frames) * 2);
    REQUIRE(capture->ReleaseBuffer(frames) == S_OK);
    return packet;
  }

  ComPointer<IAudioClient> client;
  ComPointer<IAudioCaptureClient> capture;
  HANDLE event = CreateEventW(nullptr, FALSE, FALSE, nullptr);
  int events = 0;

 private:
  void open(ComPointer<IAudioClient> of, DWORD flags) {
    client = std::move(of);
    const WAVEFORMATEXTENSIBLE wanted = format();
    REQUIRE(client->Initialize(AUDCLNT_SHAREMODE_SHARED, flags, 2'000'000, 0, &wanted.Format,
                               nullptr) == S_OK);
    REQUIRE(client->SetEventHandle(event) == S_OK);
    void* found = nullptr;
    REQUIRE(client->GetService(__uuidof(IAudioCaptureClient), &found) == S_OK);
    capture = ComPointer<IAudioCaptureClient>(static_cast<IAudioCaptureClient*>(found));
  }
};

/// The amplitude of a tone in the left channel.
double level(const std::vector<Packet>& packets, double hz) {
  double sine = 0;
  double cosine = 0;
  std::size_t frame = 0;
  for (const Packet& packet : packets) {
    for (std::size_t i = 0; i < packet.frames.size(); i += 2) {
      const double phase = 2 * std::numbers::pi * hz * static_cast<double>(frame++) / kRate;
      sine += packet.frames[i] * std::sin(phase);
      cosine += packet.frames[i] * std::cos(phase);
    }
  }
  return 2 * std::hypot(sine, cosine) / static_cast<double>(frame);
}

bool all_zero(const Packet& packet) {
  return std::all_of(packet.frames.begin(), packet.frames.end(),
                     [](float one) { return one == 0; });
}

/// This program's file name, as the script names it.
const std::string kSelf = "test_fake_mmdevapi.exe";

/// A running copy of the player under another name.
class Program {
 public:
  explicit Program(const std::string& name, const std::string& options = "") {
    std::string here(4096, '\0');
    here.resize(GetModuleFileNameA(nullptr, here.data(), static_cast<DWORD>(here.size())));
    const std::string folder = here.substr(0, here.find_last_of('\\') + 1);
    const std::string path = folder + name;
    CopyFileA((folder + "player.exe").c_str(), path.c_str(), TRUE);
    std::string command = "\"" + path + "\" " + options;
    STARTUPINFOA startup{};
    startup.cb = sizeof startup;
    REQUIRE(CreateProcessA(path.c_str(), command.data(), nullptr, nullptr, FALSE, 0, nullptr,
                           nullptr, &startup, &process_));
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    kill();
    CloseHandle(process_.hThread);
    CloseHandle(process_.hProcess);
  }
  void kill() const {
    TerminateProcess(process_.hProcess, 1);
    WaitForSingleObject(process_.hProcess, kPatienceMs);
  }
  [[nodiscard]] DWORD pid() const { return process_.dwProcessId; }

 private:
  PROCESS_INFORMATION process_{};
};

/// Takes packets until the level of a tone is as it is wanted.
bool comes_to(Capture& capture, double hz, double wanted) {
  const ULONGLONG end = GetTickCount64() + kPatienceMs;
  while (GetTickCount64() < end) {
    if (std::abs(level(capture.take(10), hz) - wanted) < 0.01) return true;
  }
  return false;
}

/// An enumerator of endpoints, made as COM makes it.
class Devices {
 public:
  Devices() {
    using Get = HRESULT(WINAPI*)(REFCLSID, REFIID, void**);
    void* found = nullptr;
    REQUIRE(symbol<Get>("DllGetClassObject")(__uuidof(MMDeviceEnumerator), __uuidof(IClassFactory),
                                             &found) == S_OK);
    const ComPointer<IClassFactory> factory(static_cast<IClassFactory*>(found));
    REQUIRE(factory->CreateInstance(nullptr, __uuidof(IMMDeviceEnumerator), &found) == S_OK);
    devices_ = ComPointer<IMMDeviceEnumerator>(static_cast<IMMDeviceEnumerator*>(found));
  }
  IMMDeviceEnumerator* operator->() const { return devices_.get(); }
  void release() { devices_ = {}; }

  template <class Interface>
  Interface* activate(EDataFlow flow) {
    IMMDevice* device = nullptr;
    REQUIRE(devices_->GetDefaultAudioEndpoint(flow, eConsole, &device) == S_OK);
    const ComPointer<IMMDevice> held(device);
    void* found = nullptr;
    REQUIRE(held->Activate(__uuidof(Interface), CLSCTX_ALL, nullptr, &found) == S_OK);
    return static_cast<Interface*>(found);
  }

 private:
  ComPointer<IMMDeviceEnumerator> devices_;
};

std::wstring name_of(const ComPointer<IMMDevice>& device) {
  IPropertyStore* store = nullptr;
  REQUIRE(device->OpenPropertyStore(STGM_READ, &store) == S_OK);
  const ComPointer<IPropertyStore> held(store);
  const PROPERTYKEY friendly_name{
      {0xa45c254e, 0xdf1c, 0x4efd, {0x80, 0x20, 0x67, 0xd1, 0x46, 0xa8, 0x50, 0xe0}}, 14};
  PROPVARIANT value{};
  REQUIRE(held->GetValue(friendly_name, &value) == S_OK);
  REQUIRE(value.vt == VT_LPWSTR);
  const std::wstring name = value.pwszVal;
  CoTaskMemFree(value.pwszVal);
  return name;
}

std::string narrow(const wchar_t* text) {
  std::string out;
  for (; text && *text; ++text) out += static_cast<char>(*text);
  return out;
}

/// Writes down what it is told, as words.
class Listener final : public IMMNotificationClient,
                       public IAudioSessionNotification,
                       public IAudioSessionEvents {
 public:
  virtual ~Listener() = default;

  std::atomic<ULONG> references{1};
  std::function<void()> inside;  // done in the next callback

  [[nodiscard]] std::vector<std::string> heard() {
    const std::lock_guard lock(mutex_);
    return heard_;
  }
  /// Waits until it has heard all of these.
  [[nodiscard]] bool hears(const std::vector<std::string>& wanted) {
    const ULONGLONG end = GetTickCount64() + kPatienceMs;
    while (GetTickCount64() < end) {
      const std::vector<std::string> so_far = heard();
      if (std::ranges::all_of(wanted, [&](const std::string& one) {
            return std::ranges::find(so_far, one) != so_far.end();
          })) {
        return true;
      }
      Sleep(5);
    }
    return false;
  }
  /// Waits for what is done inside.
  void done_inside() {
    const std::lock_guard lock(inside_mutex_);
    inside = nullptr;
  }
  [[nodiscard]] bool threads_foreign() const { return foreign_; }

  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void** out) override {
    *out = nullptr;
    if (iid == __uuidof(IMMNotificationClient) || iid == __uuidof(IUnknown)) {
      *out = static_cast<IMMNotificationClient*>(this);
    } else if (iid == __uuidof(IAudioSessionNotification)) {
      *out = static_cast<IAudioSessionNotification*>(this);
    } else if (iid == __uuidof(IAudioSessionEvents)) {
      *out = static_cast<IAudioSessionEvents*>(this);
    }
    if (!*out) return E_NOINTERFACE;
    AddRef();
    return S_OK;
  }
  ULONG STDMETHODCALLTYPE AddRef() override { return ++references; }
  ULONG STDMETHODCALLTYPE Release() override { return --references; }

  HRESULT STDMETHODCALLTYPE OnDeviceStateChanged(LPCWSTR id, DWORD state) override {
    return say("state " + narrow(id) + " " + std::to_string(state));
  }
  HRESULT STDMETHODCALLTYPE OnDeviceAdded(LPCWSTR id) override {
    return say("added " + narrow(id));
  }
  HRESULT STDMETHODCALLTYPE OnDeviceRemoved(LPCWSTR id) override {
    return say("removed " + narrow(id));
  }
  HRESULT STDMETHODCALLTYPE OnDefaultDeviceChanged(EDataFlow flow, ERole role,
                                                   LPCWSTR id) override {
    return say("default " + std::to_string(flow) + " " + std::to_string(role) + " " + narrow(id));
  }
  HRESULT STDMETHODCALLTYPE OnPropertyValueChanged(LPCWSTR, const PROPERTYKEY) override {
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE OnSessionCreated(IAudioSessionControl* control) override {
    void* found = nullptr;
    if (FAILED(control->QueryInterface(__uuidof(IAudioSessionControl2), &found))) return E_FAIL;
    const ComPointer<IAudioSessionControl2> more(static_cast<IAudioSessionControl2*>(found));
    DWORD pid = 0;
    more->GetProcessId(&pid);
    return say("session " + std::to_string(pid));
  }
  HRESULT STDMETHODCALLTYPE OnDisplayNameChanged(LPCWSTR, LPCGUID) override { return S_OK; }
  HRESULT STDMETHODCALLTYPE OnIconPathChanged(LPCWSTR, LPCGUID) override { return S_OK; }
  HRESULT STDMETHODCALLTYPE OnSimpleVolumeChanged(float volume, BOOL mute, LPCGUID who) override {
    return say("volume " + std::to_string(std::lround(volume * 100)) + " " + std::to_string(mute) +
               (who->Data1 == 0x12345678 ? " ours" : " theirs"));
  }
  HRESULT STDMETHODCALLTYPE OnChannelVolumeChanged(DWORD, float*, DWORD, LPCGUID) override {
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE OnGroupingParamChanged(LPCGUID, LPCGUID) override { return S_OK; }
  HRESULT STDMETHODCALLTYPE OnStateChanged(AudioSessionState state) override {
    return say("state " + std::to_string(state));
  }
  HRESULT STDMETHODCALLTYPE OnSessionDisconnected(AudioSessionDisconnectReason) override {
    return S_OK;
  }

 private:
  HRESULT say(const std::string& what) {
    const std::lock_guard inside_lock(inside_mutex_);
    {
      const std::lock_guard lock(mutex_);
      if (GetCurrentThreadId() == made_by_) foreign_ = false;
      heard_.push_back(what);
    }
    if (inside) inside();
    return S_OK;
  }

  const DWORD made_by_ = GetCurrentThreadId();
  std::mutex mutex_;
  std::mutex inside_mutex_;
  std::vector<std::string> heard_;
  std::atomic<bool> foreign_{true};
};

/// Waits for that many sessions; without counting them, by asking for the last of them.
bool sessions_come(IAudioSessionManager2& manager, int wanted, bool by_count) {
  const ULONGLONG end = GetTickCount64() + kPatienceMs;
  while (GetTickCount64() < end) {
    IAudioSessionEnumerator* found = nullptr;
    if (manager.GetSessionEnumerator(&found) != S_OK) return false;
    const ComPointer<IAudioSessionEnumerator> sessions(found);
    int count = 0;
    if (by_count) {
      sessions->GetCount(&count);
    } else {
      IAudioSessionControl* control = nullptr;
      while (sessions->GetSession(count, &control) == S_OK) {
        control->Release();
        ++count;
      }
    }
    if (count == wanted) return true;
    Sleep(10);
  }
  return false;
}

struct Session {
  Session(IAudioSessionManager2& manager, int index) {
    IAudioSessionEnumerator* sessions = nullptr;
    REQUIRE(manager.GetSessionEnumerator(&sessions) == S_OK);
    const ComPointer<IAudioSessionEnumerator> held(sessions);
    IAudioSessionControl* plain = nullptr;
    REQUIRE(held->GetSession(index, &plain) == S_OK);
    const ComPointer<IAudioSessionControl> taken(plain);
    control = as<IAudioSessionControl2>(*plain);
    volume = as<ISimpleAudioVolume>(*plain);
    meter = as<IAudioMeterInformation>(*plain);
  }

  ComPointer<IAudioSessionControl2> control;
  ComPointer<ISimpleAudioVolume> volume;
  ComPointer<IAudioMeterInformation> meter;

 private:
  template <class Interface>
  static ComPointer<Interface> as(IUnknown& object) {
    void* found = nullptr;
    REQUIRE(object.QueryInterface(__uuidof(Interface), &found) == S_OK);
    return ComPointer<Interface>(static_cast<Interface*>(found));
  }
};

void clean(FakeAudio& windows) {
  const Seen seen = windows.end();
  INFO(seen.text());
  CHECK(seen.violations().empty());
  CHECK(seen.open().empty());
}

}  // namespace

TEST_CASE("a script that is wrong is refused, with the line") {
  CHECK_THROWS_WITH(static_cast<void>(fake::Script::parse("program a.exe\nplayer b.exe\n")),
                    "line 2: no such line: player");
  CHECK_THROWS_WITH(fake::Script::parse("capture * frames=0"),
                    "line 1: a packet has a frame at least");
  CHECK_THROWS_WITH(fake::Script::parse("packets * from=1"), "line 1: what= is missing");
  CHECK_THROWS_WITH(fake::Script::parse("fail * method=a result=E_NONE"),
                    "line 1: no such result: E_NONE");
  CHECK_THROWS_WITH(fake::Script::parse("endpoint a name=\"b"),
                    "line 1: a quotation mark is missing");
}

TEST_CASE("later lines win, and only for the clients they name") {
  const auto script = fake::Script::parse(
      "capture * frames=480 drift_ppm=50\ncapture game.exe frames=441,17 # irregular\n");
  CHECK(script->settings_of("GAME.exe").frames == std::vector<std::uint32_t>{441, 17});
  CHECK(script->settings_of("game.exe").drift_ppm == 50);
  CHECK(script->settings_of("except:game.exe").frames == std::vector<std::uint32_t>{480});
}

TEST_CASE("a process that came by another's PID is not its parent's child") {
  fake::ProcessTree tree;
  tree.update({{10, 1, 100, 0, "launcher.exe"}, {11, 10, 110, 0, "game.exe"}}, 120);
  tree.update({{11, 10, 110, 0, "game.exe"}}, 130);
  tree.update(
      {{11, 10, 110, 0, "game.exe"}, {10, 1, 140, 0, "other.exe"}, {12, 10, 150, 0, "x.exe"}}, 160);
  CHECK(tree.within(*tree.find(11), 10, 100));
  CHECK_FALSE(tree.within(*tree.find(11), 10, 140));
  CHECK(tree.within(*tree.find(12), 10, 140));
  CHECK_FALSE(tree.within(*tree.find(12), 10, 100));
}

TEST_CASE("a capture holds the tones of its tree and no other") {
  const Apartment apartment;
  FakeAudio windows(
      "program game.exe tone=400\nprogram helper.exe tone=700\n"
      "program Discord.exe tone=1000\n");
  {
    const Program game("game.exe", "--spawn helper.exe");
    const Program discord("Discord.exe");
    Capture tree(game.pid());
    Capture rest(game.pid(), 1);
    tree.start();
    rest.start();
    CHECK(comes_to(tree, 700, 0.25));
    CHECK(comes_to(rest, 1000, 0.25));
    const std::vector<Packet> inside = tree.take(20);
    const std::vector<Packet> outside = rest.take(20);
    CHECK(level(inside, 400) == doctest::Approx(0.25).epsilon(0.01));
    CHECK(level(inside, 700) == doctest::Approx(0.25).epsilon(0.01));
    CHECK(level(inside, 1000) < 1e-6);
    CHECK(level(outside, 400) < 1e-6);
    CHECK(level(outside, 700) < 1e-6);
    CHECK(level(outside, 1000) == doctest::Approx(0.25).epsilon(0.01));
    // A tree stays one when its root has gone: the helper is ended with it, by its job.
    game.kill();
    CHECK(comes_to(tree, 400, 0));
    CHECK(comes_to(tree, 700, 0));
  }
  clean(windows);
}

TEST_CASE("streams share their packets' bounds and their stamps") {
  const Apartment apartment;
  FakeAudio windows("program " + kSelf + " content=numbers");
  {
    const Program other("other.exe");
    Capture one;
    Capture two(other.pid(), 1);
    one.start();
    two.start();
    for (Capture* const capture : {&one, &two}) {
      const std::vector<Packet> packets = capture->take(10);
      CHECK(packets[0].flags == AUDCLNT_BUFFERFLAGS_DATA_DISCONTINUITY);
      for (std::size_t i = 0; i < packets.size(); ++i) {
        // 480 frames are 10 ms to the tick, and the frame's number says when it is due.
        CHECK(packets[i].stamp % 100'000 == 0);
        CHECK(packets[i].position == 0);
        if (i > 0) CHECK(packets[i].stamp - packets[i - 1].stamp == 100'000);
        const auto number = static_cast<double>(packets[i].stamp / 100'000 * 480 % (1 << 24));
        CHECK(packets[i].frames[0] * 16777216.0F == doctest::Approx(number));
        CHECK(packets[i].frames[1] * -16777216.0F == doctest::Approx(number));
      }
    }
  }
  clean(windows);
}

TEST_CASE("packets are lost, silent, zero, flagged and stamped as the script says") {
  const Apartment apartment;
  FakeAudio windows("program " + kSelf +
                    " tone=1000\ncapture * frames=480,441\n"
                    "packets * from=2 what=lost\npackets * from=4 count=2 what=lost_flagged\n"
                    "packets * from=7 what=silent\npackets * from=8 what=zeros\n"
                    "packets * from=9 what=timestamp_error\npackets * from=10 what=stamp_zero\n"
                    "packets * from=11 what=shift ms=600\npackets * from=12 what=shift ms=-5\n");
  {
    Capture capture;
    capture.start();
    const std::vector<Packet> packets = capture.take(11);  // 14 less the three lost
    const auto stamp_step = [&](std::size_t i) {
      return static_cast<std::int64_t>(packets[i].stamp - packets[i - 1].stamp);
    };
    // 480 and 441 frames take turns; what is lost is time all the same.
    CHECK(packets[0].frames.size() == 960);
    CHECK(packets[1].frames.size() == 882);
    CHECK(packets[2].frames.size() == 882);
    CHECK(packets[2].flags == 0);
    CHECK(stamp_step(2) == 191'875);  // (441 + 480) / 48000 s
    CHECK(packets[3].flags == AUDCLNT_BUFFERFLAGS_DATA_DISCONTINUITY);
    CHECK(stamp_step(3) == 283'750);  // (441 + 480 + 441) / 48000 s
    CHECK(packets[4].flags == AUDCLNT_BUFFERFLAGS_SILENT);
    CHECK(std::all_of(packets[4].bytes.begin(), packets[4].bytes.end(),
                      [](BYTE one) { return one == 0xcd; }));
    CHECK(packets[5].flags == 0);
    CHECK(all_zero(packets[5]));
    CHECK(packets[6].flags == AUDCLNT_BUFFERFLAGS_TIMESTAMP_ERROR);
    CHECK_FALSE(all_zero(packets[6]));
    CHECK(packets[7].stamp == 0);
    CHECK(packets[8].stamp - packets[6].stamp == 6'000'000 + 191'875);
    CHECK(packets[9].stamp - packets[6].stamp == 283'750 - 50'000);
    CHECK(packets[10].stamp - packets[6].stamp == 383'750);
  }
  clean(windows);
}

TEST_CASE("stamps jitter and clocks drift") {
  const Apartment apartment;
  FakeAudio windows("capture " + kSelf + " jitter_us=500\ncapture except:* drift_ppm=200\n");
  {
    Capture jittery;
    Capture fast(GetCurrentProcessId(), 1);
    jittery.start();
    fast.start();
    bool moved = false;
    for (const Packet& packet : jittery.take(10)) {
      const auto off = static_cast<std::int64_t>(packet.stamp % 100'000);
      const std::int64_t from_grid = std::min<std::int64_t>(off, 100'000 - off);
      CHECK(from_grid <= 5'000);
      moved = moved || from_grid > 0;
    }
    CHECK(moved);
    const std::vector<Packet> packets = fast.take(51);
    const std::int64_t span = static_cast<std::int64_t>(packets[50].stamp - packets[0].stamp);
    CHECK(std::abs(span - 4'999'000) <= 1);  // 50 packets in 500 ms / 1.0002
  }
  clean(windows);
}

TEST_CASE("events are lost, gather packets, come for nothing") {
  const Apartment apartment;
  FakeAudio windows(
      "capture * per_event=4\npackets * from=8 count=8 what=lost_event\n"
      "packets * from=20 what=hold\npackets * from=30 what=extra_event\n");
  {
    Capture capture;
    capture.start();
    UINT32 waiting = 0;
    // The first event of all comes with the fourth packet.
    REQUIRE(WaitForSingleObject(capture.event, kPatienceMs) == WAIT_OBJECT_0);
    for (int i = 0; i < 4; ++i) {
      CHECK(capture.capture->GetNextPacketSize(&waiting) == S_OK);
      CHECK(waiting == 480);
      static_cast<void>(capture.one());
    }
    const std::vector<Packet> packets = capture.take(36);
    for (std::size_t i = 1; i < packets.size(); ++i) {
      CHECK(packets[i].stamp - packets[i - 1].stamp == 100'000);
    }
  }
  clean(windows);
}

TEST_CASE("whoever is too slow loses the oldest, and is told") {
  const Apartment apartment;
  FakeAudio windows("capture * capacity_ms=30\n");
  {
    Capture capture;
    capture.start();
    Sleep(200);
    const std::vector<Packet> packets = capture.take(5);
    CHECK((packets[0].flags & AUDCLNT_BUFFERFLAGS_DATA_DISCONTINUITY) != 0);
  }
  clean(windows);
}

TEST_CASE("who plays nothing is silent, zero or not there at all") {
  const Apartment apartment;
  FakeAudio windows("capture * idle=zeros\n");
  {
    Capture capture;
    capture.start();
    const std::vector<Packet> packets = capture.take(3);
    CHECK(packets[1].flags == 0);
    CHECK(all_zero(packets[1]));
  }
  FakeAudio::change("capture * idle=nothing\n");
  {
    Capture capture;
    capture.start();
    CHECK(WaitForSingleObject(capture.event, 100) == WAIT_TIMEOUT);
  }
  clean(windows);
}

TEST_CASE("gotchas 1 to 3: what a process's client lacks is refused, and seen") {
  const Apartment apartment;
  FakeAudio windows("");
  {
    Capture capture;
    WAVEFORMATEX* mix = nullptr;
    UINT32 frames = 0;
    REFERENCE_TIME time = 0;
    const WAVEFORMATEXTENSIBLE wanted = format();
    CHECK(capture.client->GetMixFormat(&mix) == E_NOTIMPL);
    CHECK(capture.client->IsFormatSupported(AUDCLNT_SHAREMODE_SHARED, &wanted.Format, nullptr) ==
          E_NOTIMPL);
    CHECK(capture.client->GetDevicePeriod(&time, nullptr) == E_NOTIMPL);
    CHECK(capture.client->GetCurrentPadding(&frames) == E_NOTIMPL);
    CHECK(capture.client->GetStreamLatency(&time) == E_NOTIMPL);
    void* service = nullptr;
    CHECK(capture.client->GetService(__uuidof(IAudioClock), &service) == E_NOINTERFACE);
    CHECK(capture.client->GetService(__uuidof(IAudioSessionControl), &service) == E_NOINTERFACE);
    CHECK(capture.client->GetService(__uuidof(IAudioRenderClient), &service) == E_NOINTERFACE);
    // Succeeds, with nonsense.
    CHECK(capture.client->GetBufferSize(&frames) == S_OK);
    CHECK(frames > 1'000'000);
  }
  const Seen seen = windows.end();
  CHECK(std::ranges::count(seen.violations(), "not-implemented") == 5);
  CHECK(std::ranges::count(seen.violations(), "no-interface") == 3);
}

TEST_CASE("calls out of order are refused, and seen") {
  const Apartment apartment;
  FakeAudio windows("");
  {
    Handler handler;
    Parameters parameters;
    REQUIRE(activate(handler, parameters) == S_OK);
    IAudioClient& client = *handler.client.get();
    void* service = nullptr;
    CHECK(client.Start() == AUDCLNT_E_NOT_INITIALIZED);
    CHECK(client.GetService(__uuidof(IAudioCaptureClient), &service) == AUDCLNT_E_NOT_INITIALIZED);
    const WAVEFORMATEXTENSIBLE wanted = format();
    CHECK(client.Initialize(AUDCLNT_SHAREMODE_SHARED, kLoopback, 0, 0, &wanted.Format, nullptr) ==
          S_OK);
    CHECK(client.Initialize(AUDCLNT_SHAREMODE_SHARED, kLoopback, 0, 0, &wanted.Format, nullptr) ==
          AUDCLNT_E_ALREADY_INITIALIZED);
    CHECK(client.Start() == AUDCLNT_E_EVENTHANDLE_NOT_SET);
  }
  {
    Capture capture;
    capture.start();
    CHECK(capture.client->Start() == AUDCLNT_E_NOT_STOPPED);
    REQUIRE(WaitForSingleObject(capture.event, kPatienceMs) == WAIT_OBJECT_0);
    BYTE* data = nullptr;
    UINT32 frames = 0;
    DWORD flags = 0;
    CHECK(capture.capture->ReleaseBuffer(480) == AUDCLNT_E_OUT_OF_ORDER);
    CHECK(capture.capture->GetBuffer(&data, &frames, &flags, nullptr, nullptr) == S_OK);
    CHECK(capture.capture->GetBuffer(&data, &frames, &flags, nullptr, nullptr) ==
          AUDCLNT_E_OUT_OF_ORDER);
    CHECK(capture.capture->ReleaseBuffer(100) == AUDCLNT_E_INVALID_SIZE);
    CHECK(capture.capture->ReleaseBuffer(0) == S_OK);
  }
  const Seen seen = windows.end();
  CHECK(seen.violations() == std::vector<std::string>(6, "call-order"));
  CHECK(seen.open().empty());
}

TEST_CASE("an Initialize that fails spoils the client") {
  const Apartment apartment;
  FakeAudio windows("");
  const WAVEFORMATEXTENSIBLE wanted = format();
  WAVEFORMATEXTENSIBLE wrong = format();
  wrong.Format.nBlockAlign = 4;
  {
    Handler one;
    Handler two;
    Parameters parameters;
    REQUIRE(activate(one, parameters) == S_OK);
    CHECK(one.client->Initialize(AUDCLNT_SHAREMODE_SHARED, kLoopback, 0, 0, &wrong.Format,
                                 nullptr) == AUDCLNT_E_UNSUPPORTED_FORMAT);
    CHECK(one.client->Initialize(AUDCLNT_SHAREMODE_SHARED, kLoopback, 0, 0, &wanted.Format,
                                 nullptr) == AUDCLNT_E_ALREADY_INITIALIZED);
    REQUIRE(activate(two, parameters) == S_OK);
    CHECK(two.client->Initialize(AUDCLNT_SHAREMODE_SHARED, AUDCLNT_STREAMFLAGS_EVENTCALLBACK, 0, 0,
                                 &wanted.Format, nullptr) == E_INVALIDARG);
  }
  CHECK(windows.end().violations() == std::vector<std::string>{"call-order", "loopback-flag"});
}

TEST_CASE("activation fails at once, later, inside, or twice and then no more") {
  const Apartment apartment;
  FakeAudio windows(
      "activate * times=1 call=E_FAIL\n"
      "activate * first=1 times=1 outer=E_ACCESSDENIED\n"
      "activate * first=2 times=2 result=E_UNEXPECTED\n");
  Parameters parameters;
  const auto attempt = [&](HRESULT call, HRESULT outer, HRESULT result) {
    Handler handler;
    CHECK(activate(handler, parameters) == call);
    if (FAILED(call)) return;
    CHECK(handler.outer == outer);
    if (SUCCEEDED(outer)) CHECK(handler.result == result);
    CHECK(static_cast<bool>(handler.client) == (outer == S_OK && result == S_OK));
    CHECK(handler.thread != GetCurrentThreadId());
  };
  attempt(E_FAIL, S_OK, S_OK);
  attempt(S_OK, E_ACCESSDENIED, S_OK);
  attempt(S_OK, S_OK, E_UNEXPECTED);
  attempt(S_OK, S_OK, E_UNEXPECTED);
  attempt(S_OK, S_OK, S_OK);
  clean(windows);
}

TEST_CASE("activation completes before the call returns, or never") {
  const Apartment apartment;
  FakeAudio windows("activate * times=1 when=before_return\nactivate * first=1 when=never\n");
  Parameters parameters;
  PROPVARIANT variant{};
  variant.vt = VT_BLOB;
  variant.blob.cbSize = sizeof parameters;
  variant.blob.pBlobData = reinterpret_cast<BYTE*>(&parameters);
  const auto call = symbol<Activate>("ActivateAudioInterfaceAsync");
  IActivateAudioInterfaceAsyncOperation* operation = nullptr;
  {
    Handler handler;
    REQUIRE(call(L"VAD\\Process_Loopback", __uuidof(IAudioClient), &variant, &handler,
                 &operation) == S_OK);
    CHECK(WaitForSingleObject(handler.done, 0) == WAIT_OBJECT_0);
    CHECK(handler.result == S_OK);
    operation->Release();
  }
  Handler handler;
  REQUIRE(call(L"VAD\\Process_Loopback", __uuidof(IAudioClient), &variant, &handler, &operation) ==
          S_OK);
  CHECK(WaitForSingleObject(handler.done, 100) == WAIT_TIMEOUT);
  CHECK(handler.references.load() == 2);  // Windows holds on to it
  handler.Release();                      // nobody else ever will
  operation->Release();
  clean(windows);
}

TEST_CASE("a handler that is not agile is refused, and seen") {
  const Apartment apartment;
  FakeAudio windows("");
  Handler handler(false);
  Parameters parameters;
  CHECK(activate(handler, parameters) == kIllegalMethodCall);
  CHECK(windows.end().violations() == std::vector<std::string>{"agile"});
}

TEST_CASE("parameters that do not live until the completion are seen") {
  const Apartment apartment;
  FakeAudio windows("activate * delay_ms=50\n");
  Handler handler;
  Parameters parameters;
  PROPVARIANT variant{};
  variant.vt = VT_BLOB;
  variant.blob.cbSize = sizeof parameters;
  variant.blob.pBlobData = reinterpret_cast<BYTE*>(&parameters);
  IActivateAudioInterfaceAsyncOperation* operation = nullptr;
  REQUIRE(symbol<Activate>("ActivateAudioInterfaceAsync")(L"VAD\\Process_Loopback",
                                                          __uuidof(IAudioClient), &variant,
                                                          &handler, &operation) == S_OK);
  parameters.pid = 0xdddddddd;
  REQUIRE(WaitForSingleObject(handler.done, kPatienceMs) == WAIT_OBJECT_0);
  CHECK(handler.result == E_INVALIDARG);
  operation->Release();
  CHECK(windows.end().violations() == std::vector<std::string>{"parameters-lifetime"});
}

TEST_CASE("a client has one thread, in the multithreaded apartment") {
  FakeAudio windows("");
  {
    const Apartment apartment;
    Capture capture;
    elsewhere([&] { capture.client->Start(); });
  }
  CHECK(windows.end().violations() == std::vector<std::string>{"one-thread"});

  FakeAudio again("");
  std::thread([&] {
    REQUIRE(SUCCEEDED(CoInitializeEx(nullptr, COINIT_APARTMENTTHREADED)));
    Handler handler;
    Parameters parameters;
    CHECK(activate(handler, parameters) == S_OK);
    handler.client = {};
    CoUninitialize();
  }).join();
  CHECK(again.end().violations() == std::vector<std::string>{"apartment"});
}

TEST_CASE("releases in the wrong order are seen") {
  const Apartment apartment;
  FakeAudio windows("");
  {
    Capture capture;
    capture.start();
    capture.client.get()->AddRef();
    IAudioClient* const client = capture.client.get();
    client->Stop();
    client->Reset();
    client->Start();
    CloseHandle(capture.event);
    capture.event = CreateEventW(nullptr, FALSE, FALSE, nullptr);
    client->Release();
    capture.client = {};  // before its service, and started
    capture.capture = {};
    Handler handler;
    Parameters parameters;
    REQUIRE(activate(handler, parameters) == S_OK);
    capture.client = std::move(handler.client);  // for the destructor
  }
  const Seen seen = windows.end();
  INFO(seen.text());
  CHECK(std::ranges::count(seen.violations(), "release-order") >= 2);
  CHECK(std::ranges::count(seen.violations(), "restart") == 2);
}

TEST_CASE("gotcha 14: a second client of one program is silent, and seen") {
  const Apartment apartment;
  FakeAudio windows("program " + kSelf + " tone=440");
  {
    Capture one;
    Capture two;
    one.start();
    two.start();
    CHECK(comes_to(one, 440, 0.25));
    CHECK(two.take(3)[1].flags == AUDCLNT_BUFFERFLAGS_SILENT);
  }
  CHECK(windows.end().violations() == std::vector<std::string>{"one-client"});
}

TEST_CASE("a call fails when the script says, and the device's end is for good") {
  const Apartment apartment;
  FakeAudio windows(
      "fail * method=IAudioCaptureClient::GetNextPacketSize nth=1 result=OUT_OF_ORDER\n"
      "fail * method=IAudioCaptureClient::GetBuffer nth=2 result=DEVICE_INVALIDATED\n");
  {
    Capture capture;
    capture.start();
    UINT32 waiting = 0;
    CHECK(capture.capture->GetNextPacketSize(&waiting) == S_OK);
    CHECK(capture.capture->GetNextPacketSize(&waiting) == AUDCLNT_E_OUT_OF_ORDER);
    static_cast<void>(capture.take(2));
    BYTE* data = nullptr;
    DWORD flags = 0;
    CHECK(capture.capture->GetBuffer(&data, &waiting, &flags, nullptr, nullptr) ==
          AUDCLNT_E_DEVICE_INVALIDATED);
    CHECK(capture.capture->GetNextPacketSize(&waiting) == AUDCLNT_E_DEVICE_INVALIDATED);
    CHECK(capture.client->Stop() == AUDCLNT_E_DEVICE_INVALIDATED);
  }
  clean(windows);
}

TEST_CASE("a call is slow, and how long packets wait for their client is told") {
  const Apartment apartment;
  FakeAudio windows("fail * method=IAudioClient::Start delay_ms=200\n");
  {
    Capture capture;
    const ULONGLONG before = GetTickCount64();
    capture.start();
    CHECK(GetTickCount64() - before > 100);  // its steps are 16 ms, and a sleep's end is no sharper
    static_cast<void>(capture.take(2));
    CHECK(FakeAudio::handovers().size() == 2);
    Sleep(150);
    static_cast<void>(capture.take(1));
    const std::vector<std::chrono::nanoseconds> late = FakeAudio::handovers();
    REQUIRE(late.size() == 1);
    CHECK(late[0] > std::chrono::milliseconds(100));
  }
  clean(windows);
}

TEST_CASE("the audio service stops, and runs again") {
  const Apartment apartment;
  FakeAudio windows("");
  {
    Capture capture;
    capture.start();
    static_cast<void>(capture.take(2));
    FakeAudio::change("service running=no\n");
    UINT32 waiting = 0;
    CHECK(capture.capture->GetNextPacketSize(&waiting) == AUDCLNT_E_SERVICE_NOT_RUNNING);
    Handler handler;
    Parameters parameters;
    CHECK(activate(handler, parameters) == AUDCLNT_E_SERVICE_NOT_RUNNING);
    FakeAudio::change("");
    CHECK(capture.capture->GetNextPacketSize(&waiting) == AUDCLNT_E_SERVICE_NOT_RUNNING);
    CHECK(activate(handler, parameters) == S_OK);
  }
  clean(windows);
}

TEST_CASE("what is not released is seen") {
  const Apartment apartment;
  FakeAudio windows("");
  IAudioClient* kept = nullptr;
  {
    Handler handler;
    Parameters parameters;
    REQUIRE(activate(handler, parameters) == S_OK);
    kept = handler.client.detach();
  }
  const Seen seen = windows.end();
  CHECK(seen.open() == std::vector<std::string>{"IAudioClient"});
  CHECK(seen.calls("ActivateAudioInterfaceAsync") == 1);
  kept->Release();
}

TEST_CASE("endpoints are found, described, and tell of changes") {
  const Apartment apartment;
  const std::string speakers = "endpoint {out} name=Speakers default=yes\n";
  FakeAudio windows(speakers +
                    "endpoint {mic} flow=capture name=\"USB Microphone\" default=yes\n"
                    "endpoint {old} name=Headset state=unplugged\n");
  Devices devices;
  Listener listener;
  const auto names = [&](EDataFlow flow, DWORD states) {
    IMMDeviceCollection* found = nullptr;
    REQUIRE(devices->EnumAudioEndpoints(flow, states, &found) == S_OK);
    const ComPointer<IMMDeviceCollection> all(found);
    UINT count = 0;
    REQUIRE(all->GetCount(&count) == S_OK);
    std::vector<std::wstring> list;
    for (UINT i = 0; i < count; ++i) {
      IMMDevice* device = nullptr;
      REQUIRE(all->Item(i, &device) == S_OK);
      list.push_back(name_of(ComPointer<IMMDevice>(device)));
    }
    return list;
  };
  CHECK(names(eRender, DEVICE_STATE_ACTIVE) == std::vector<std::wstring>{L"Speakers"});
  CHECK(names(eCapture, DEVICE_STATE_ACTIVE) == std::vector<std::wstring>{L"USB Microphone"});
  CHECK(names(eAll, DEVICE_STATEMASK_ALL).size() == 3);
  CHECK(devices->RegisterEndpointNotificationCallback(&listener) == S_OK);
  FakeAudio::change(speakers +
                    "endpoint {new} flow=capture default=yes\n"
                    "endpoint {old} name=Headset\n");
  CHECK(listener.hears({"added {new}", "state {old} 1", "removed {mic}", "default 1 0 {new}"}));
  CHECK(listener.threads_foreign());
  CHECK(devices->UnregisterEndpointNotificationCallback(&listener) == S_OK);
  CHECK(devices->UnregisterEndpointNotificationCallback(&listener) ==
        static_cast<HRESULT>(0x80070490));
  CHECK(listener.references.load() == 1);
  devices.release();
  clean(windows);
}

TEST_CASE("a microphone is captured, in its format, until it is pulled out") {
  const Apartment apartment;
  const std::string microphone = "endpoint {mic} flow=capture default=yes tone=300 level=0.5 ";
  FakeAudio windows(microphone + "rate=44100");
  Devices devices;
  {
    IAudioClient* client = devices.activate<IAudioClient>(eCapture);
    WAVEFORMATEX* mix = nullptr;
    REQUIRE(client->GetMixFormat(&mix) == S_OK);
    CHECK(mix->nSamplesPerSec == 44100);
    const WAVEFORMATEXTENSIBLE wanted = format();
    WAVEFORMATEX* closest = nullptr;
    CHECK(client->IsFormatSupported(AUDCLNT_SHAREMODE_SHARED, &wanted.Format, &closest) == S_FALSE);
    CoTaskMemFree(closest);
    CoTaskMemFree(mix);
    Capture capture(ComPointer<IAudioClient>(client),
                    AUDCLNT_STREAMFLAGS_EVENTCALLBACK | AUDCLNT_STREAMFLAGS_AUTOCONVERTPCM);
    capture.start();
    const std::vector<Packet> packets = capture.take(20);
    CHECK(level(packets, 300) == doctest::Approx(0.5).epsilon(0.01));
    CHECK(packets[0].flags == 0);
    CHECK(packets[19].position - packets[18].position == 480);
    FakeAudio::change(microphone + "rate=44100 state=unplugged");
    REQUIRE(WaitForSingleObject(capture.event, kPatienceMs) == WAIT_OBJECT_0);
    UINT32 waiting = 0;
    const ULONGLONG end = GetTickCount64() + kPatienceMs;
    while (capture.capture->GetNextPacketSize(&waiting) == S_OK && GetTickCount64() < end) {
      Sleep(10);
    }
    CHECK(capture.capture->GetNextPacketSize(&waiting) == AUDCLNT_E_DEVICE_INVALIDATED);
  }
  devices.release();
  clean(windows);
}

TEST_CASE("a whole output is captured, hidden programs too") {
  const Apartment apartment;
  FakeAudio windows("program " + kSelf + " tone=440 hidden=yes");
  Devices devices;
  {
    Capture process;
    Capture output(ComPointer<IAudioClient>(devices.activate<IAudioClient>(eRender)), kLoopback);
    process.start();
    output.start();
    CHECK(comes_to(output, 440, 0.25));
    const std::vector<Packet> packets = process.take(10);
    CHECK(packets[9].flags == 0);
    CHECK(all_zero(packets[9]));
  }
  devices.release();
  clean(windows);
}

TEST_CASE("gotcha 13: an endpoint does not take a process's parameters") {
  const Apartment apartment;
  FakeAudio windows("");
  Devices devices;
  IMMDevice* device = nullptr;
  REQUIRE(devices->GetDefaultAudioEndpoint(eRender, eConsole, &device) == S_OK);
  Parameters parameters;
  PROPVARIANT variant{};
  variant.vt = VT_BLOB;
  variant.blob.cbSize = sizeof parameters;
  variant.blob.pBlobData = reinterpret_cast<BYTE*>(&parameters);
  void* found = nullptr;
  CHECK(device->Activate(__uuidof(IAudioClient), CLSCTX_ALL, &variant, &found) == E_INVALIDARG);
  device->Release();
  devices.release();
  CHECK(windows.end().violations() == std::vector<std::string>{"parameters"});
}

TEST_CASE("sessions are told of only after they were counted") {
  const Apartment apartment;
  FakeAudio windows("program game.exe\nprogram Discord.exe\n");
  Devices devices;
  Listener listener;
  {
    const ComPointer<IAudioSessionManager2> manager(
        devices.activate<IAudioSessionManager2>(eRender));
    REQUIRE(manager->RegisterSessionNotification(&listener) == S_OK);
    const Program game("game.exe");
    CHECK(sessions_come(*manager.get(), 1, false));
    Sleep(100);
    CHECK(listener.heard().empty());
    CHECK(sessions_come(*manager.get(), 1, true));
    const Program discord("Discord.exe");
    CHECK(listener.hears({"session " + std::to_string(discord.pid())}));
    CHECK(listener.heard().size() == 1);
    CHECK(manager->UnregisterSessionNotification(&listener) == S_OK);
  }
  devices.release();
  clean(windows);
}

TEST_CASE("a session has a volume, a peak and an end, and tells of them") {
  const Apartment apartment;
  const std::string script = "program game.exe tone=440 level=0.5 display_name=Game ";
  FakeAudio windows(script);
  Devices devices;
  Listener listener;
  const GUID ours{0x12345678, 1, 2, {3, 4, 5, 6, 7, 8, 9, 10}};
  {
    const ComPointer<IAudioSessionManager2> manager(
        devices.activate<IAudioSessionManager2>(eRender));
    const Program game("game.exe");
    Capture capture(game.pid());
    capture.start();
    REQUIRE(sessions_come(*manager.get(), 1, true));
    const Session session(*manager.get(), 0);
    DWORD pid = 0;
    CHECK(session.control->GetProcessId(&pid) == S_OK);
    CHECK(pid == game.pid());
    CHECK(session.control->IsSystemSoundsSession() == S_FALSE);
    CHECK(comes_to(capture, 440, 0.5));
    float peak = 0;
    CHECK(session.meter->GetPeakValue(&peak) == S_OK);
    CHECK(peak == 0.5F);
    REQUIRE(session.control->RegisterAudioSessionNotification(&listener) == S_OK);
    CHECK(session.volume->SetMasterVolume(0.5F, &ours) == S_OK);
    CHECK(listener.hears({"volume 50 0 ours"}));
    CHECK(comes_to(capture, 440, 0.25));
    FakeAudio::change(script + "mute=yes");
    CHECK(listener.hears({"volume 50 1 theirs"}));
    CHECK(comes_to(capture, 440, 0));
    FakeAudio::change(script + "content=nothing");
    CHECK(listener.hears({"state 0"}));
    UINT channels = 9;
    CHECK(session.meter->GetMeteringChannelCount(&channels) == S_OK);
    CHECK(channels == 0);
    game.kill();
    CHECK(listener.hears({"state 2"}));
    CHECK(session.control->UnregisterAudioSessionNotification(&listener) == S_OK);
  }
  CHECK(listener.references.load() == 1);
  CHECK(listener.threads_foreign());
  devices.release();
  clean(windows);
}

TEST_CASE("a session manager that died stays dead, with its sessions, and another one lives") {
  const Apartment apartment;
  const std::string script = "program game.exe\n";
  FakeAudio windows(script);
  Devices devices;
  {
    const ComPointer<IAudioSessionManager2> manager(
        devices.activate<IAudioSessionManager2>(eRender));
    const Program game("game.exe");
    REQUIRE(sessions_come(*manager.get(), 1, true));
    const Session session(*manager.get(), 0);
    const auto is_dead = [&] {
      IAudioSessionEnumerator* sessions = nullptr;
      return manager->GetSessionEnumerator(&sessions) == AUDCLNT_E_RESOURCES_INVALIDATED;
    };
    FakeAudio::change(script +
                      "fail * method=IAudioSessionManager2::GetSessionEnumerator times=forever "
                      "result=RESOURCES_INVALIDATED");
    CHECK(is_dead());
    FakeAudio::change(script);
    CHECK(is_dead());
    AudioSessionState state = AudioSessionStateActive;
    CHECK(session.control->GetState(&state) == AUDCLNT_E_RESOURCES_INVALIDATED);
    float volume = 0;
    CHECK(session.volume->GetMasterVolume(&volume) == AUDCLNT_E_RESOURCES_INVALIDATED);
    const ComPointer<IAudioSessionManager2> another(
        devices.activate<IAudioSessionManager2>(eRender));
    CHECK(sessions_come(*another.get(), 1, true));
  }
  devices.release();
  clean(windows);
}

TEST_CASE("a session of several processes is a success with a code of its own") {
  const Apartment apartment;
  FakeAudio windows("program game.exe session=shared\n");
  Devices devices;
  {
    const ComPointer<IAudioSessionManager2> manager(
        devices.activate<IAudioSessionManager2>(eRender));
    const Program game("game.exe");
    REQUIRE(sessions_come(*manager.get(), 1, true));
    const Session session(*manager.get(), 0);
    DWORD pid = 0;
    CHECK(session.control->GetProcessId(&pid) == static_cast<HRESULT>(0x0889000d));
    CHECK(pid == game.pid());
  }
  devices.release();
  clean(windows);
}

TEST_CASE("registrations inside a callback, and those that are left, are seen") {
  const Apartment apartment;
  FakeAudio windows("program game.exe\n");
  Devices devices;
  Listener listener;
  {
    const ComPointer<IAudioSessionManager2> manager(
        devices.activate<IAudioSessionManager2>(eRender));
    REQUIRE(sessions_come(*manager.get(), 0, true));
    REQUIRE(manager->RegisterSessionNotification(&listener) == S_OK);
    listener.inside = [&] { manager->UnregisterSessionNotification(&listener); };
    const Program game("game.exe");
    CHECK(listener.hears({"session " + std::to_string(game.pid())}));
    listener.done_inside();
    REQUIRE(manager->RegisterSessionNotification(&listener) == S_OK);
  }
  devices.release();
  CHECK(windows.end().violations() ==
        std::vector<std::string>{"registration-in-callback", "registered-at-release"});
}
