// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "allocation_counter.hpp"
#include "core/status.hpp"
#include "os/runtime_folder.hpp"
#include "os/shared_file.hpp"
#include "runtime_folder.hpp"
#include "sinks/shared_track_reader.hpp"
#include "sinks/shared_tracks.hpp"
#include "spoiled_track.hpp"

using namespace pypac;
using namespace std::chrono_literals;
using pypac::test::kCapacity;
using pypac::test::RuntimeFolder;
using pypac::test::Spoiled;
using shared_track::Header;
using shared_track::PositionsCopy;
using State = SharedTrackState;

namespace {

constexpr std::size_t positions_offset(std::size_t of_field) {
  return shared_track::kPositionsOffset + of_field;
}

/// The track's file; in the middle of a read something may happen to it.
class Watched final : public SharedBytes {
 public:
  [[nodiscard]] bool open() noexcept override { return file_.open(); }
  [[nodiscard]] bool replaced() noexcept override { return file_.replaced(); }
  [[nodiscard]] std::uint64_t size() noexcept override { return file_.size(); }
  [[nodiscard]] std::size_t read_at(std::uint64_t offset, void* destination,
                                    std::size_t bytes) noexcept override {
    if (bytes > 0) ++looks;
    const auto got = file_.read_at(offset, destination, bytes);
    if (offset == shared_track::kPositionsOffset)
      if (const auto act = std::exchange(meanwhile, nullptr)) act();
    return got;
  }

  int looks = 0;
  std::function<void()> meanwhile;  // once, after the positions were looked at

 private:
  SharedFile file_{"stream", "game"};
};

}  // namespace

TEST_CASE("a read costs three looks where nothing happens meanwhile") {
  Spoiled track;
  auto bytes = std::make_unique<Watched>();
  Watched& watched = *bytes;
  SharedTrackReader reader("stream", "game", std::move(bytes));
  CHECK(reader.poll(5s) == State::running);
  const std::array<float*, 2> planar{track.left.data(), track.right.data()};
  watched.looks = 0;
  CHECK(reader.read(planar.data(), 4096).frames == 100);
  CHECK(watched.looks == 3);
}

TEST_CASE("readers that share their room read each its own") {
  Spoiled track;
  const auto room = std::make_shared<SharedTrackReader::Room>();
  SharedTrackReader one("stream", "game", room);
  SharedTrackReader other("stream", "game", room);
  CHECK(one.poll(5s) == State::running);
  CHECK(other.poll(5s) == State::running);
  std::vector<float> left(4096);
  std::vector<float> right(4096);
  CHECK(one.read(std::array<float*, 2>{left.data(), right.data()}.data(), 100).frames == 100);
  track.put(4096, 0.25F);
  CHECK(
      other.read(std::array<float*, 2>{track.left.data(), track.right.data()}.data(), 100).frames ==
      100);
  CHECK(left[0] == 0.5F);
  CHECK(track.left[0] == 0.25F);
}

TEST_CASE("a read in which the track is written gives frames of one moment") {
  Spoiled track;
  auto bytes = std::make_unique<Watched>();
  Watched& watched = *bytes;
  SharedTrackReader reader("stream", "game", std::move(bytes));
  CHECK(reader.poll(5s) == State::running);
  const std::array<float*, 2> planar{track.left.data(), track.right.data()};
  SUBCASE("a block more") {
    watched.meanwhile = [&] { track.block(100); };
    const auto read = reader.read(planar.data(), 4096);
    CHECK(read.start == 0);
    CHECK(read.frames == 200);
    CHECK(read.lost == 0);
  }
  SUBCASE("over what is being read") {
    watched.meanwhile = [&] {
      for (Frames start = 100; start < 2 * Frames{kCapacity}; start += 100) track.block(start);
    };
    const auto read = reader.read(planar.data(), 4096);
    CHECK(read.start == 1900);
    CHECK(read.frames == 100);
    CHECK(read.lost == 1900);
  }
  CHECK(reader.read(planar.data(), 4096).frames == 0);
}

TEST_CASE("another version is told apart from damage, before and after attaching") {
  Spoiled track;
  CHECK(track.reader.poll(5s) == State::running);
  track.put<std::uint32_t>(offsetof(Header, version), 2);
  CHECK(track.found_by_new() == State::incompatible);
  CHECK(track.reader.poll(5s + 10ms) == State::incompatible);
  CHECK(track.read().frames == 0);
  track.put<std::uint32_t>(offsetof(Header, version), 1);
  CHECK(track.reader.poll(5s + 300ms) == State::running);
  CHECK(track.read().frames == 100);
}

TEST_CASE("a header with numbers or names that cannot be is damage") {
  Spoiled track;
  const auto header = track.get<Header>(0);
  const auto spoil = [&](auto change) {
    Header spoiled = header;
    change(spoiled);
    track.put(0, spoiled);
    CHECK(track.found_by_new() == State::damaged);
    track.put(0, header);
    REQUIRE(track.found_by_new() == State::running);
  };
  constexpr auto kHuge = std::numeric_limits<std::uint32_t>::max();
  spoil([](Header& h) { h.magic[0] = 'Q'; });
  spoil([](Header& h) { h.header_bytes = 0; });
  spoil([](Header& h) { h.header_bytes = kHuge; });
  spoil([](Header& h) { h.channels = 0; });
  spoil([](Header& h) { h.channels = 9; });
  spoil([](Header& h) { h.channels = kHuge; });
  spoil([](Header& h) { h.sample_rate = 0; });
  spoil([](Header& h) { h.sample_rate = kHuge; });
  spoil([](Header& h) { h.block_frames = 0; });
  spoil([](Header& h) { h.block_frames = kCapacity; });
  spoil([](Header& h) { h.block_frames = kHuge; });
  spoil([](Header& h) { h.capacity_frames = 0; });
  spoil([](Header& h) { h.capacity_frames = kCapacity + 512; });  // a page more than there is
  spoil([](Header& h) { h.capacity_frames = kHuge; });
  spoil([](Header& h) { h.latency_frames = kHuge; });
  spoil([](Header& h) { h.session_name[0] = 'S'; });
  spoil([](Header& h) { h.track_name[4] = 's'; });
  spoil([](Header& h) { h.track_name.back() = 'x'; });
}

TEST_CASE("positions that cannot be are damage, and the reader comes back when they are mended") {
  Spoiled track;
  CHECK(track.reader.poll(5s) == State::running);
  const auto positions = track.get<PositionsCopy>(positions_offset(0));
  HostTime now = 5s;
  const auto spoil = [&](auto change) {
    PositionsCopy spoiled = positions;
    change(spoiled);
    track.put(positions_offset(0), spoiled);
    CHECK(track.found_by_new() == State::damaged);
    CHECK(track.read().frames == 0);
    CHECK(track.reader.state() == State::damaged);
    now += 250ms;
    PositionsCopy mended = positions;
    mended.heartbeat = now.count();
    track.put(positions_offset(0), mended);
    REQUIRE(track.reader.poll(now) == State::running);
  };
  spoil([](PositionsCopy& p) { p.written = -1; });
  spoil([](PositionsCopy& p) { p.written = p.reserved + 1; });
  spoil([](PositionsCopy& p) { p.reserved += 101; });  // more than a block
  spoil([](PositionsCopy& p) { p.reserved = p.written = std::int64_t{1} << 62; });
  spoil([](PositionsCopy& p) { p.first = p.written; });
  spoil([](PositionsCopy& p) { p.first = -1; });
  spoil([](PositionsCopy& p) { p.origin = -1; });
  spoil([](PositionsCopy& p) { p.origin = std::numeric_limits<std::int64_t>::max(); });
  spoil([](PositionsCopy& p) { p.heartbeat = std::numeric_limits<std::int64_t>::min(); });
  spoil([](PositionsCopy& p) { p.state = static_cast<shared_track::WriterState>(3); });
}

TEST_CASE("a position that goes back is damage") {
  Spoiled track;
  track.block(100);
  CHECK(track.reader.poll(5s) == State::running);
  track.put<std::int64_t>(positions_offset(offsetof(PositionsCopy, reserved)), 100);
  track.put<std::int64_t>(positions_offset(offsetof(PositionsCopy, written)), 100);
  CHECK(track.read().frames == 0);
  CHECK(track.reader.state() == State::damaged);
}

TEST_CASE("samples that are no numbers become silence") {
  Spoiled track;
  CHECK(track.reader.poll(5s) == State::running);
  track.put(4096, std::numeric_limits<float>::quiet_NaN());
  track.put(4096 + 12, -std::numeric_limits<float>::infinity());
  CHECK(track.read().frames == 100);
  CHECK(track.left[0] == 0.0F);
  CHECK(track.right[0] == 0.5F);
  CHECK(track.left[1] == 0.5F);
  CHECK(track.right[1] == 0.0F);
}

TEST_CASE("names lead to no other folder") {
  Spoiled track;
  CHECK(SharedTrackReader("stream", "../stream/game").poll(5s) == State::absent);
  CHECK(SharedTrackReader("", "game").poll(5s) == State::absent);
  CHECK(SharedTrackReader(std::string(300, 'x'), "game").poll(5s) == State::absent);
}

TEST_CASE("file names are plain, and lead back to the one name") {
  CHECK(file_name_of("Game-1 (v.2)") == "Game-1 %28v.2%29");
  CHECK(file_name_of("..") == "%2E.");
  CHECK(file_name_of("a/b\\c%") == "a%2Fb%5Cc%25");
  CHECK(file_name_of(std::string("\0\xff", 2)) == "%00%FF");
  CHECK_FALSE(file_name_of(""));
  CHECK_FALSE(file_name_of(std::string(256, 'x')));
  CHECK_FALSE(file_name_of(std::string(86, '/')));
  CHECK(name_of_file("a%2Fb") == "a/b");
  for (const char* const strange :
       {"", ".", "..", ".new", "a%2fb", "a%41", "%", "%2", "%zz", "a/b"})
    CHECK_FALSE(name_of_file(strange));
}

TEST_CASE("a listing is bounded") {
  Spoiled track;
  ManualClock clock(5s);
  std::vector<SharedTracks::Track> many;
  for (int i = 0; i < 20; ++i) many.push_back({"track " + std::to_string(i), 1});
  const SharedTracks other({"other", 48000, 100, 400, kCapacity}, many, clock);
  CHECK(list_shared_tracks(5s).size() == 21);
  CHECK(list_shared_tracks(5s, 7).size() == 7);
}

TEST_CASE("polling and reading allocate nothing") {
  Spoiled track;
  track.reader.poll(5s);
  const std::size_t before = test::allocations();
  for (int i = 1; i < 20; ++i) {
    track.reader.poll(5s + i * 50ms);
    static_cast<void>(track.read());
  }
  CHECK(test::allocations() == before);
}

TEST_CASE("numbers that the format cannot hold are refused") {
  const RuntimeFolder folder;
  ManualClock clock;
  const auto refused = [&](const SharedTracksOptions& options, std::uint32_t channels,
                           const std::string& track = "game") {
    CHECK_THROWS_AS(SharedTracks(options, {{track, channels}}, clock), Failure);
    CHECK_FALSE(std::filesystem::exists(folder.tracks() / "stream"));
  };
  refused({"stream", 48000, 480, 1920, 48000}, 9);
  refused({"stream", 48000, 480, 1920, 48000}, 0);
  refused({"stream", 7999, 480, 1920, 48000}, 2);
  refused({"stream", 48000, 0, 1920, 48000}, 2);
  refused({"stream", 48000, 480, 1920, 1U << 25}, 2);
  refused({"stream", 48000, 480, 1920, 48000}, 2, std::string(200, '/'));
  refused({"stream", 48000, 480, 1920, 48000}, 2, "");
}
