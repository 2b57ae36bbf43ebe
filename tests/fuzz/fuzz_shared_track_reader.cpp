// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "sinks/shared_track_reader.hpp"

using namespace pypac;

namespace {

/// What is left of the fuzzer's input: zeros when there is no more.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  template <typename T>
  T take() {
    T value{};
    take(&value, sizeof value);
    return value;
  }
  void take(void* destination, std::size_t bytes) {
    const std::size_t taken = std::min(bytes, rest_.size());
    if (taken > 0) std::memcpy(destination, rest_.data(), taken);
    rest_ = rest_.subspan(taken);
  }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::span<const std::uint8_t> rest_;
};

constexpr std::size_t kImageBytes =
    shared_track::kPositionsOffset + sizeof(shared_track::PositionsCopy);

/// A file whose header and positions are the input's, and which the input changes at every look.
///
/// The input: header (576 bytes), positions (48), then bytes that say what happens next.
class HostileBytes final : public SharedBytes {
 public:
  explicit HostileBytes(Input& input) : input_(input) {
    input_.take(image_.data(), sizeof(shared_track::Header));
    input_.take(image_.data() + shared_track::kPositionsOffset,
                sizeof(shared_track::PositionsCopy));
  }

  bool open() noexcept override {
    change();
    return opens_;
  }
  bool replaced() noexcept override {
    change();
    return std::exchange(replaced_, false);
  }
  std::uint64_t size() noexcept override {
    change();
    return size_;
  }
  std::size_t read_at(std::uint64_t offset, void* destination,
                      std::size_t bytes) noexcept override {
    ++reads;
    change();
    if (offset >= size_) return 0;
    bytes = std::min<std::uint64_t>(bytes, size_ - offset);
    std::memset(destination, sample_byte_, bytes);
    if (offset < kImageBytes)
      std::memcpy(destination, image_.data() + offset,
                  std::min<std::uint64_t>(bytes, kImageBytes - offset));
    return bytes;
  }

  int reads = 0;

 private:
  void change() {
    switch (input_.take<std::uint8_t>()) {
      case 1:  // a patch anywhere
        patch(input_.take<std::uint16_t>() % kImageBytes, 1 + input_.take<std::uint8_t>() % 16);
        break;
      case 2:  // a patch of the positions
        patch(shared_track::kPositionsOffset + input_.take<std::uint8_t>() % 48, 8);
        break;
      case 3:  // the writer goes on, as a good one does
        advance(input_.take<std::uint16_t>());
        break;
      case 4:
        size_ = input_.take<std::uint32_t>();
        break;
      case 5:
        replaced_ = true;
        break;
      case 6:
        opens_ = !opens_;
        break;
      case 7:
        sample_byte_ = input_.take<std::uint8_t>();
        break;
      case 8:  // and goes on again at each look from now on
        at_each_look_ = input_.take<std::uint16_t>();
        break;
      default:
        break;
    }
    advance(at_each_look_);
  }
  void patch(std::size_t at, std::size_t bytes) {
    input_.take(image_.data() + at, std::min(bytes, kImageBytes - at));
  }
  void advance(std::int64_t frames) {
    shared_track::PositionsCopy positions;
    std::memcpy(&positions, image_.data() + shared_track::kPositionsOffset, sizeof positions);
    const auto sum = [frames](std::int64_t value) {  // wraps
      return static_cast<std::int64_t>(static_cast<std::uint64_t>(value) +
                                       static_cast<std::uint64_t>(frames));
    };
    positions.written = sum(positions.written);
    positions.reserved = sum(positions.reserved);
    std::memcpy(image_.data() + shared_track::kPositionsOffset, &positions, sizeof positions);
  }

  Input& input_;
  std::array<std::uint8_t, kImageBytes> image_{};
  std::uint64_t size_ = std::uint64_t{1} << 20U;
  std::uint8_t sample_byte_ = 0x3f;
  std::int64_t at_each_look_ = 0;
  bool replaced_ = false;
  bool opens_ = true;
};

void require(bool holds) {
  if (!holds) std::abort();
}

void check_info(const SharedTrackReader& reader) {
  if (reader.state() < SharedTrackState::starting) return;
  const SharedTrackInfo& info = reader.info();
  require(info.channels >= 1 && info.channels <= shared_track::kMaxChannels);
  require(info.anchor.sample_rate >= shared_track::kMinSampleRate);
  require(info.capacity_frames >= 2 * info.block_frames);
  require(info.anchor.host_time_of(info.first_frame) >= HostTime(0));
}

void read(SharedTrackReader& reader, std::uint32_t max_frames) {
  const std::uint32_t channels = reader.info().channels;
  // As large as they may be filled, so that one sample more is found.
  std::vector<std::unique_ptr<float[]>> planar;
  std::array<float*, shared_track::kMaxChannels> pointers{};
  for (std::uint32_t c = 0; c < channels; ++c) {
    planar.push_back(std::make_unique<float[]>(max_frames));
    pointers[c] = planar.back().get();
  }
  const SharedTrackReader::Read read = reader.read(pointers.data(), max_frames);
  require(read.frames <= max_frames && read.frames <= SharedTrackReader::kMostFrames);
  require(read.start >= 0 && read.lost >= 0);
  if (read.frames == 0) return;
  require(reader.info().anchor.host_time_of(read.start + read.frames) >= HostTime(0));
  for (std::uint32_t c = 0; c < channels; ++c)
    for (std::uint32_t i = 0; i < read.frames; ++i) require(std::isfinite(pointers[c][i]));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input({data, size});
  auto owned = std::make_unique<HostileBytes>(input);
  HostileBytes& bytes = *owned;
  SharedTrackReader reader("stream", "game", std::move(owned));
  HostTime now = std::chrono::seconds(5);
  constexpr int kSteps = 200;
  constexpr int kMostReads = 100;  // what one call may look at: it never hangs
  for (int step = 0; step < kSteps; ++step) {
    bytes.reads = 0;
    switch (input.take<std::uint8_t>() % 4) {
      case 0:
        now += std::chrono::milliseconds(input.take<std::uint8_t>());
        reader.poll(now);
        break;
      case 1:
      case 2:
        read(reader, input.take<std::uint16_t>() % 5000);
        break;
      default:
        reader.start_at(input.take<std::int64_t>());
        break;
    }
    require(bytes.reads <= kMostReads);
    check_info(reader);
    if (input.empty() && step % 8 == 7) break;
  }
  return 0;
}
