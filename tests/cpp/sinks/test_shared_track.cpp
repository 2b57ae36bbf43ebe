// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "allocation_counter.hpp"
#include "core/status.hpp"
#include "core/thread_role.hpp"
#include "numbered_track.hpp"
#include "os/process_snapshot.hpp"
#include "runtime_folder.hpp"
#include "sinks/shared_track_reader.hpp"
#include "sinks/shared_tracks.hpp"

using namespace pypac;
using namespace std::chrono_literals;
using pypac::test::Listener;
using pypac::test::RuntimeFolder;
using pypac::test::Writer;
using State = SharedTrackState;

TEST_CASE("a reader that waits for the session gets its frames from the first on") {
  const RuntimeFolder folder;
  Listener listener;
  Listener voice("voice", 1);
  CHECK(listener.reader.poll(5s) == State::absent);
  Writer writer;
  CHECK(listener.reader.poll(5s + 10ms) == State::absent);  // does not look so often
  CHECK(listener.reader.poll(5s + 250ms) == State::starting);
  CHECK(voice.reader.poll(5s) == State::starting);
  CHECK(listener.read().frames == 0);
  writer.shared.start({4s, 48000});
  writer.blocks(0, 500);
  CHECK(listener.reader.poll(5s + 260ms) == State::running);
  CHECK(voice.reader.poll(5s + 260ms) == State::running);

  const SharedTrackInfo& info = listener.reader.info();
  CHECK(info.channels == 2);
  CHECK(info.anchor.sample_rate == 48000);
  CHECK(info.anchor.origin == HostTime(4s));
  CHECK(info.capacity_frames == 1000);
  CHECK(info.block_frames == 100);
  CHECK(info.latency_frames == 400);
  CHECK(info.first_frame == 0);
  CHECK(info.writer_pid == current_process_id());
  CHECK(info.session_id == writer.shared.session_id());
  CHECK(voice.reader.info().channels == 1);

  SharedTrackReader::Read read = listener.read(180);
  CHECK(read.start == 0);
  CHECK(read.frames == 180);
  read = listener.read();
  CHECK(read.start == 180);
  CHECK(read.frames == 320);
  CHECK(listener.read().frames == 0);
  CHECK(voice.read().frames == 500);
  writer.blocks(500, 1200);  // round the end of the ring
  read = listener.read();
  CHECK(read.start == 500);
  CHECK(read.frames == 700);
  CHECK(read.lost == 0);
  CHECK(listener.wrong == 0);
  CHECK(voice.wrong == 0);
}

TEST_CASE("a reader that comes later begins at the newest block, or where it is told to") {
  const RuntimeFolder folder;
  Writer writer;
  writer.shared.start({4s, 48000});
  writer.blocks(200, 900);
  Listener listener;
  CHECK(listener.reader.poll(5s) == State::running);
  CHECK(listener.reader.info().first_frame == 200);
  CHECK(listener.read().start == 800);
  listener.reader.start_at(350);
  SharedTrackReader::Read read = listener.read(10);
  CHECK(read.start == 350);
  CHECK(read.frames == 10);
  listener.reader.start_at(0);  // before the first: no loss, for there never was anything
  read = listener.read();
  CHECK(read.start == 200);
  CHECK(read.frames == 700);
  CHECK(read.lost == 0);
  listener.reader.start_at(1000);
  CHECK(listener.read().frames == 0);
  writer.blocks(900, 1100);
  CHECK(listener.read().start == 1000);
  CHECK(listener.wrong == 0);
}

TEST_CASE("a reader that falls behind by more than the capacity is told how much it lost") {
  const RuntimeFolder folder;
  Writer writer;
  writer.shared.start({4s, 48000});
  writer.blocks(0, 100);
  Listener listener;
  CHECK(listener.reader.poll(5s) == State::running);
  CHECK(listener.read(50).frames == 50);
  writer.blocks(100, 1000);
  CHECK(listener.read(10).lost == 0);  // frame 50 is still there
  writer.blocks(1000, 1100);
  const SharedTrackReader::Read read = listener.read();
  CHECK(read.lost == 1000 - 60);
  CHECK(read.start == 1000);
  CHECK(read.frames == 100);
  CHECK(listener.wrong == 0);
}

TEST_CASE("a writer without a sign of life is gone, and comes back with one") {
  const RuntimeFolder folder;
  Writer writer;
  Listener listener;
  CHECK(listener.reader.poll(60s) == State::starting);  // made long before it begins
  writer.shared.start({4s, 48000});
  writer.blocks(0, 100);
  CHECK(listener.reader.poll(5s + 1s) == State::running);
  CHECK(listener.reader.poll(5s + 1s + 1ms) == State::gone);
  CHECK(listener.read().frames == 100);
  writer.clock.advance(1s);
  writer.blocks(100, 200);
  CHECK(listener.reader.poll(6s + 2ms) == State::running);
}

TEST_CASE("the end is told, and what is left can be read, even when the file is gone") {
  const RuntimeFolder folder;
  Writer writer;
  Listener listener;
  CHECK(listener.reader.poll(5s) == State::starting);
  writer.shared.start({4s, 48000});
  writer.blocks(0, 300);
  writer.block(300, 7);
  writer.shared.finish();
  CHECK(listener.reader.poll(5s + 10ms) == State::ended);
  CHECK(listener.read(300).frames == 300);
  writer.shared.close();
  CHECK_FALSE(std::filesystem::exists(folder.tracks() / "stream"));
  CHECK(listener.reader.poll(5s + 300ms) == State::ended);
  CHECK(listener.read().frames == 7);
  CHECK(listener.reader.poll(5s + 600ms) == State::absent);
  CHECK(listener.read().frames == 0);
  CHECK_FALSE(writer.shared.begin_block(307, 100));
}

TEST_CASE("a new session of the same name is another timeline") {
  const RuntimeFolder folder;
  Listener listener;
  shared_track::SessionId first;
  {
    Writer writer;
    writer.shared.start({4s, 48000});
    writer.blocks(0, 5000);
    CHECK(listener.reader.poll(5s) == State::running);
    CHECK(listener.read().frames == 100);
    first = listener.reader.info().session_id;
  }
  Writer writer({"stream", 44100, 100, 400, 2000}, {{"game", 1}});
  writer.shared.start({4s, 44100});
  writer.blocks(0, 200);
  CHECK(listener.reader.poll(5s + 250ms) == State::running);
  CHECK(listener.reader.info().session_id != first);
  CHECK(listener.reader.info().anchor.sample_rate == 44100);
  CHECK(listener.reader.info().channels == 1);
  CHECK(listener.read().start == 100);
  CHECK(listener.wrong == 0);
}

TEST_CASE("a living session keeps its name: another is refused with the process that has it") {
  const RuntimeFolder folder;
  const Writer writer;
  try {
    const Writer second;
    FAIL("two writers");
  } catch (const Failure& failure) {
    CHECK(failure.kind() == ErrorKind::output_failed);
    CHECK(std::string(failure.what()).find(std::to_string(current_process_id())) !=
          std::string::npos);
  }
  const Writer elsewhere({"other", 48000, 100, 400, 1000});
  Listener listener;
  CHECK(listener.reader.poll(5s) == State::starting);
  CHECK(list_shared_tracks(5s).size() == 4);
}

TEST_CASE("the pump's part allocates nothing") {
  const RuntimeFolder folder;
  Writer writer;
  writer.shared.start({4s, 48000});
  const std::vector<float> silence(100);
  const float* const channels[] = {silence.data(), silence.data()};
  const std::size_t before = test::realtime_allocations();
  {
    const ScopedThreadRole role(ThreadRole::pump);
    for (Frames start = 0; start < 5000; start += 100) {
      if (!writer.shared.begin_block(start, 100)) continue;
      writer.shared.write_track(0, channels);
      writer.shared.write_track(1, channels);
      writer.shared.commit_block();
    }
    writer.shared.finish();
  }
  CHECK(test::realtime_allocations() == before);
}

TEST_CASE("between two threads, what is read is right, and read plus lost is everything") {
  const RuntimeFolder folder;
  Writer writer;
  Listener listener;
  CHECK(listener.reader.poll(5s) == State::starting);
  writer.shared.start({4s, 48000});
  constexpr Frames kEnd = 400'000;
  std::thread pump([&] {
    for (Frames start = 0; start < kEnd; start += 100) {
      writer.block(start, 100);
      if (start % 3000 == 0) std::this_thread::sleep_for(100us);
    }
    writer.shared.finish();
  });
  Frames read = 0;
  Frames next = 0;
  for (bool over = false; !over;) {
    over = listener.reader.poll(5s) == State::ended;
    for (SharedTrackReader::Read got = listener.read(150); got.frames > 0 || got.lost > 0;
         got = listener.read(150)) {
      CHECK(got.start == next + got.lost);
      next = got.start + got.frames;
      read += got.frames;
    }
  }
  pump.join();
  CHECK(next == kEnd);
  CHECK(read > 0);
  CHECK(listener.wrong == 0);
}
