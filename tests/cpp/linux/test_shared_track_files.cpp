// SPDX-License-Identifier: MIT
// What of shared tracks is files of Linux, and processes that end.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "../sinks/numbered_track.hpp"
#include "../sinks/spoiled_track.hpp"
#include "core/status.hpp"
#include "runtime_folder.hpp"

using namespace pypac;
using namespace std::chrono_literals;
using pypac::test::kCapacity;
using pypac::test::Listener;
using pypac::test::RuntimeFolder;
using pypac::test::Spoiled;
using pypac::test::Writer;
using State = SharedTrackState;

TEST_CASE("what a killed process left is replaced, and its reader goes over to the new session") {
  const RuntimeFolder folder;
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    Writer writer;
    writer.shared.start({4s, 48000});
    writer.blocks(0, 1000);
    static_cast<void>(write(pipe_ends[1], "x", 1));
    for (;;) pause();
  }
  char byte;
  REQUIRE(read(pipe_ends[0], &byte, 1) == 1);
  Listener listener;
  CHECK(listener.reader.poll(5s) == State::running);
  CHECK(listener.reader.info().writer_pid == child);
  CHECK(listener.read().frames == 100);
  CHECK_THROWS_AS(Writer{}, Failure);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);

  CHECK(listener.reader.poll(5s + 2s) == State::gone);
  const auto listed = list_shared_tracks(7s);
  REQUIRE(listed.size() == 2);
  CHECK(listed[0].track == "game");
  CHECK(listed[1].track == "voice");
  CHECK(listed[0].state == State::gone);
  // Only one of the two tracks: what is left of the other goes as well.
  Writer writer({"stream", 48000, 100, 400, 1000}, {{"game", 2}});
  CHECK(list_shared_tracks(7s).size() == 1);
  writer.shared.start({4s, 48000});
  writer.clock.advance(2s);
  writer.blocks(0, 100);
  CHECK(listener.reader.poll(7s + 250ms) == State::running);
  CHECK(listener.reader.info().writer_pid == getpid());
  CHECK(listener.read().frames == 100);
}

TEST_CASE("of several that start at once, one gets the name") {
  const RuntimeFolder folder;
  int results[2];
  int release[2];
  REQUIRE(pipe(results) == 0);
  REQUIRE(pipe(release) == 0);
  constexpr int kStarters = 6;
  for (int i = 0; i < kStarters; ++i) {
    if (fork() != 0) continue;
    char byte = 'y';
    ::close(release[1]);
    try {
      const Writer writer;
      static_cast<void>(write(results[1], &byte, 1));
      static_cast<void>(read(release[0], &byte, 1));  // until the parent closes it
    } catch (const Failure&) {
      byte = 'n';
      static_cast<void>(write(results[1], &byte, 1));
    }
    _exit(0);
  }
  int winners = 0;
  for (int i = 0; i < kStarters; ++i) {
    char byte = 0;
    REQUIRE(read(results[0], &byte, 1) == 1);
    winners += byte == 'y';
  }
  CHECK(winners == 1);
  CHECK(list_shared_tracks(5s).size() == 2);
  ::close(release[1]);
  while (wait(nullptr) > 0) {
  }
  CHECK(list_shared_tracks(5s).empty());
  for (const int end : {results[0], results[1], release[0]}) ::close(end);
}

TEST_CASE("files and folders are the user's alone, and appear whole") {
  const RuntimeFolder folder;
  const Writer writer;
  const std::vector<std::string> paths = writer.shared.paths();
  REQUIRE(paths.size() == 2);
  CHECK(paths[0] == (folder.tracks() / "stream" / "game").string());
  struct stat found {};
  REQUIRE(stat(paths[0].c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
  CHECK(found.st_size == 4096 + 1000 * 2 * 4);
  CHECK(found.st_blocks * 512 >= found.st_size);
  REQUIRE(stat(folder.tracks().c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0700);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.tracks() / "stream"))
    files += entry.is_regular_file();
  CHECK(files == 2);
}

TEST_CASE("a file that is cut off while it is read gives no frames") {
  Spoiled track;
  CHECK(track.reader.poll(5s) == State::running);
  SUBCASE("in the frames") {
    std::filesystem::resize_file(track.path, 4096 + 99 * 8);
  }
  SUBCASE("in the positions") {
    std::filesystem::resize_file(track.path, 1030);
  }
  SUBCASE("to nothing") {
    std::filesystem::resize_file(track.path, 0);
  }
  CHECK(track.read().frames == 0);
  CHECK(track.reader.state() == State::damaged);
  CHECK(track.reader.poll(5s + 250ms) == State::damaged);
  CHECK(track.found_by_new() == State::damaged);
  // Whole again before the writer touches it.
  std::filesystem::resize_file(track.path, 4096 + kCapacity * 8);
}

TEST_CASE("a file that is longer than any track is read, rather than mapped") {
  Spoiled track;
  std::filesystem::resize_file(track.path, std::uintmax_t{2} << 30);
  CHECK(track.found_by_new() == State::running);
  CHECK(track.reader.poll(5s) == State::running);
  CHECK(track.read().frames == 100);
  CHECK(track.left[99] == 0.5F);
  std::filesystem::resize_file(track.path, 4096 + 8 * 50);
  track.reader.start_at(0);
  CHECK(track.read().frames == 0);
  CHECK(track.reader.state() == State::damaged);
}

TEST_CASE(
    "a file that is cut off costs its readers that track until it is made anew, nobody else") {
  const RuntimeFolder folder;
  Writer writer;
  writer.shared.start({4s, 48000});
  Listener game;
  Listener voice("voice", 1);
  writer.blocks(0, 1000);
  REQUIRE(game.reader.poll(5s) == State::running);
  REQUIRE(voice.reader.poll(5s) == State::running);
  const std::filesystem::path path = writer.shared.paths()[0];
  Frames missing = 600;
  SUBCASE("to nothing") {
    std::filesystem::resize_file(path, 0);
  }
  SUBCASE("behind its positions") {
    std::filesystem::resize_file(path, 4096);
  }
  SUBCASE("and made as long again") {
    std::filesystem::resize_file(path, 0);
    std::filesystem::resize_file(path, 4096 + 1000 * 2 * 4);
    missing = 0;  // it is told from where it was found
  }
  SUBCASE("by being deleted") {
    std::filesystem::remove(path);
    missing = 0;
  }
  writer.blocks(1000, 1600);
  while (voice.read().frames > 0) {
  }
  CHECK(voice.reader.state() == State::running);
  CHECK(voice.wrong == 0);

  CHECK(writer.shared.restore_lost().empty());  // not over yet: nothing is in the new file
  CHECK(writer.shared.restore_lost().empty());
  writer.blocks(1600, 2000);
  const std::vector<SharedTracks::Loss> losses = writer.shared.restore_lost();
  REQUIRE(losses.size() == 1);
  CHECK(losses[0].track == 0);
  CHECK(losses[0].begin + losses[0].frames == 1600);
  CHECK(losses[0].frames == missing);
  CHECK(losses[0].error.empty());
  CHECK(writer.shared.restore_lost().empty());

  game.reader.poll(5s + 250ms);
  CHECK(game.reader.poll(5s + 500ms) == State::running);
  CHECK(game.reader.info().session_id == writer.shared.session_id());
  CHECK(game.reader.info().first_frame == 1600);
  writer.blocks(2000, 2300);
  Frames heard = 0;
  while (const std::uint32_t frames = game.read().frames) heard += frames;
  CHECK(heard >= 300);
  CHECK(game.wrong == 0);
  writer.shared.finish();
  CHECK(game.reader.poll(5s + 750ms) == State::ended);
}

TEST_CASE("a file that is cut off while it is written ends neither the writer nor its readers") {
  const RuntimeFolder folder;
  Writer writer;
  writer.shared.start({4s, 48000});
  std::atomic<bool> done{false};
  std::thread cutting([&] {
    const std::string path = (folder.tracks() / "stream" / "game").string();
    while (!done) static_cast<void>(truncate(path.c_str(), 0));
  });
  std::thread reading([&] {
    Listener game;
    HostTime now = 5s;
    while (!done) {
      game.reader.poll(now += 250ms);
      static_cast<void>(game.read());
    }
  });
  std::size_t refused = 0;
  for (Frames start = 0; refused == 0 && start < 20'000'000; start += 100) {
    writer.block(start, 100);
    if (start % 1000 == 0)
      for (const SharedTracks::Loss& loss : writer.shared.restore_lost())
        refused += !loss.error.empty();
  }
  done = true;
  cutting.join();
  reading.join();
  CHECK(refused == 1);  // it is given up in the end
  for (Frames start = 0; start < 1000; start += 100) CHECK(writer.shared.restore_lost().empty());
  CHECK(SharedTrackReader("stream", "voice").poll(5s) == State::running);
}

TEST_CASE("a track that cannot be made anew says why, once, and is tried again") {
  const RuntimeFolder folder;
  Writer writer;
  writer.shared.start({4s, 48000});
  writer.blocks(0, 1000);
  const std::filesystem::path session = folder.tracks() / "stream";
  std::filesystem::resize_file(session / "game", 0);
  chmod(session.c_str(), 0755);
  const std::vector<SharedTracks::Loss> losses = writer.shared.restore_lost();
  REQUIRE(losses.size() == 1);
  CHECK(losses[0].frames == 0);
  CHECK(losses[0].error.find("cannot be used") != std::string::npos);
  CHECK(writer.shared.restore_lost().empty());
  chmod(session.c_str(), 0700);
  CHECK(writer.shared.restore_lost().empty());
  writer.blocks(1000, 1100);
  CHECK(writer.shared.restore_lost().size() == 1);
  CHECK(SharedTrackReader("stream", "game").poll(5s) == State::running);
}

namespace {

constexpr const char* kBefore = "PYPAC_TEST_BUS_ERROR";

/// How a program ends that has a shared track, and touches a page of another file that is not
/// there. A program of its own, because the guard is there once and for all: see the next test.
int end_of_bus_error(const char* before) {
  const pid_t child = fork();
  if (child == 0) {
    setenv(kBefore, before, 1);
    execl("/proc/self/exe", "test", "-tc=(in a program of its own)*", nullptr);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

}  // namespace

TEST_CASE("(in a program of its own) a bus error that is no shared track's") {
  const char* const value = std::getenv(kBefore);
  if (value == nullptr) return;
  const std::string before = value;
  if (before == "handled") std::signal(SIGBUS, [](int) { _exit(7); });
  if (before == "ignored") std::signal(SIGBUS, SIG_IGN);
  const RuntimeFolder folder;
  Writer writer;
  writer.shared.start({4s, 48000});
  std::filesystem::resize_file(writer.shared.paths()[0], 0);
  writer.blocks(0, 1000);  // the guard's own
  std::filesystem::remove_all(folder.tracks().parent_path().parent_path());
  if (before == "ignored") {
    std::raise(SIGBUS);
    _exit(8);
  }
  std::FILE* const file = std::tmpfile();
  void* const page = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fileno(file), 0);
  static_cast<void>(*static_cast<volatile char*>(page));
  _exit(0);
}

TEST_CASE("a bus error that is no shared track's goes where it went before") {
  // A sanitizer makes an end of its own of it.
  const int status = end_of_bus_error("default");
  CHECK((WIFSIGNALED(status) ? WTERMSIG(status) == SIGBUS : WEXITSTATUS(status) != 0));
  CHECK(WEXITSTATUS(end_of_bus_error("handled")) == 7);
  CHECK(WEXITSTATUS(end_of_bus_error("ignored")) == 8);
}

TEST_CASE("what lies under the name and is no file of the user's is not there") {
  const RuntimeFolder folder;
  const std::filesystem::path session = folder.tracks() / "stream";
  std::filesystem::create_directories(session);
  for (const auto& made : {folder.tracks().parent_path(), folder.tracks(), session})
    std::filesystem::permissions(made, std::filesystem::perms::owner_all);
  const std::filesystem::path game = session / "game";
  SUBCASE("a folder") {
    std::filesystem::create_directory(game);
  }
  SUBCASE("a pipe, which would block") {
    REQUIRE(mkfifo(game.c_str(), 0600) == 0);
  }
  SUBCASE("a link") {
    std::filesystem::create_symlink("/etc/hostname", game);
  }
  CHECK(SharedTrackReader("stream", "game").poll(5s) == State::absent);
  CHECK(list_shared_tracks(5s).empty());
}

TEST_CASE("what no writer left in the folder of a session's tracks stays") {
  const RuntimeFolder folder;
  const std::filesystem::path session = folder.tracks() / "stream";
  std::filesystem::create_directories(session);
  for (const auto& made : {folder.tracks().parent_path(), folder.tracks(), session})
    std::filesystem::permissions(made, std::filesystem::perms::owner_all);
  std::filesystem::create_symlink("/etc/hostname", session / "link");
  REQUIRE(mkfifo((session / "pipe").c_str(), 0600) == 0);
  { const Writer writer; }
  CHECK(std::filesystem::is_symlink(session / "link"));
  CHECK(std::filesystem::is_fifo(session / "pipe"));
  CHECK_FALSE(std::filesystem::exists(session / "game"));
}

TEST_CASE("a track's folder that is a link is not followed") {
  const RuntimeFolder folder;
  const std::filesystem::path victim = folder.tracks().parent_path().parent_path() / "victim";
  std::filesystem::create_directories(victim / "stream");
  std::ofstream(victim / "stream" / "letter") << "mine";
  std::filesystem::create_directories(folder.tracks().parent_path());
  std::filesystem::permissions(folder.tracks().parent_path(), std::filesystem::perms::owner_all);
  std::filesystem::create_directory_symlink(victim, folder.tracks());
  CHECK_THROWS_AS(Writer{}, Failure);
  CHECK(std::filesystem::exists(victim / "stream" / "letter"));
}

TEST_CASE("a folder that others may enter is not looked into") {
  Spoiled track;
  CHECK(track.found_by_new() == State::running);
  chmod(std::filesystem::path(track.path).parent_path().c_str(), 0755);
  CHECK(track.found_by_new() == State::absent);
}

TEST_CASE("in a Flatpak only the way to the tracks is open to others, and read-only is enough") {
  Spoiled track;
  const std::filesystem::path session = std::filesystem::path(track.path).parent_path();
  const std::filesystem::path way = session.parent_path().parent_path();
  chmod(way.c_str(), 0755);  // as bubblewrap makes it
  chmod(track.path.c_str(), 0400);
  chmod(session.c_str(), 0500);
  CHECK(track.found_by_new() == State::running);
  chmod(session.c_str(), 0700);
  chmod(way.c_str(), 0777);
  CHECK(track.found_by_new() == State::absent);
  chmod(way.c_str(), 0700);
}

TEST_CASE("no room for the memory is an error, and leaves nothing behind") {
  const RuntimeFolder folder;
  // In a process of its own, for the limit is the whole process's.
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    ManualClock clock(5s);
    try {
      const SharedTracks full({"stream", 48000, 100, 400, 48000}, {{"game", 2}}, clock);
    } catch (const Failure& failure) {
      _exit(failure.kind() == ErrorKind::output_failed ? 7 : 8);
    }
    _exit(9);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 7);
  CHECK_FALSE(std::filesystem::exists(folder.tracks() / "stream"));
}
