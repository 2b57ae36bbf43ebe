# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from pypac_obs import _core
from pypac_obs.cli import commands
from pypac_obs.errors import NotRunning, OutputFailed, PermissionDenied
from pypac_obs.outputs import files as split_files
from pypac_obs.outputs.following import FollowingFiles, Take
from pypac_obs.own_folder import OwnFolder
from pypac_obs.profile import FilesOutput, Profile
from pypac_obs.runtime_folder import make_folder, runtime_folder
from pypac_obs.session import Session
from pypac_obs.session_registry import (
    Mark,
    SessionRegistration,
    TakenMark,
    checked_text,
    frame_at,
    running_sessions,
)

if TYPE_CHECKING:
    from tests.conftest import SecondUser

PROFILE: dict[str, Any] = {
    "version": 1,
    "sources": {"tone": {"synthetic": {"kind": "tone"}}},
    "tracks": {"tone": {"from": "tone"}},
}


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    for name in ("XDG_RUNTIME_DIR", "USERPROFILE"):
        monkeypatch.setenv(name, str(runtime))
    return runtime


@pytest.fixture
def gaming() -> Iterator[SessionRegistration]:
    registration = SessionRegistration("gaming", 48000, 1_000_000_000)
    yield registration
    registration.close()


class Taker:
    """Takes the marks of a registration, as a session's watch does."""

    def __init__(self, registration: SessionRegistration) -> None:
        self.marks: list[Mark] = []
        self._registration = registration
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ended.wait(0.01):
            for mark in self._registration.take_marks():
                self.marks.append(mark)
                frame = frame_at(mark.host_ns, 1_000_000_000, 48000)
                self._registration.answer(mark, TakenMark(frame, in_file=True))

    def __enter__(self) -> Taker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def marks_folder() -> Path:
    [session] = running_sessions()
    return session.folder / "marks"


def test_a_session_is_listed_while_it_runs() -> None:
    assert running_sessions() == ()
    registration = SessionRegistration("Game / Voice", 44100, 77)
    [session] = running_sessions()
    assert (session.name, session.pid) == ("Game / Voice", os.getpid())
    assert (session.sample_rate, session.start_host_ns) == (44100, 77)
    assert session.folder.parent == runtime_folder() / "sessions"
    assert session.folder.name == f"Game %2F Voice-{os.getpid()}"
    assert sys.platform == "win32" or session.folder.stat().st_mode & 0o777 == 0o700
    registration.close()
    registration.close()
    assert running_sessions() == ()
    assert not session.folder.exists()


def test_two_sessions_of_one_name_are_two() -> None:
    registrations = [SessionRegistration("gaming", 48000, number) for number in range(3)]
    assert [session.start_host_ns for session in running_sessions()] == [0, 1, 2]
    assert len({session.folder for session in running_sessions()}) == 3
    for registration in registrations:
        registration.close()


def test_a_session_that_died_is_not_listed_and_is_cleared_away() -> None:
    program = (
        "from pypac_obs.session_registry import SessionRegistration\n"
        "import os\nSessionRegistration('dead', 48000, 1)\nos._exit(9)\n"
    )
    subprocess.run([sys.executable, "-Ic", program], check=False)
    [folder] = (runtime_folder() / "sessions").iterdir()
    assert folder.name.startswith("dead-")
    assert running_sessions() == ()
    os.utime(folder, (1, 1))
    SessionRegistration("alive", 48000, 1).close()
    assert not folder.exists()


def foreign_sessions(folder: Path) -> Path:
    """Somebody's folders that look like a runtime folder with a stale session."""
    precious = folder / "sessions" / "precious-1"
    (precious / "marks").mkdir(parents=True, mode=0o700)
    for file in ("session.json", "letter.txt", "marks/1.json", "marks/photo.jpg"):
        (precious / file).write_text("mine")
    for made in (precious, precious.parent, folder):
        made.chmod(0o700)
        os.utime(made, (1, 1))
    return precious


def everything_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.linux("Windows lets administrators make links only")
def test_stale_sessions_are_not_looked_for_behind_a_link(runtime: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    foreign_sessions(victim)
    before = everything_in(victim)
    (runtime / "pypac-obs").symlink_to(victim)
    with pytest.raises(PermissionDenied, match="is a link"):
        SessionRegistration("gaming", 48000, 1)
    assert everything_in(victim) == before
    (runtime / "pypac-obs").unlink()
    (runtime / "pypac-obs").mkdir(mode=0o700)
    (runtime / "pypac-obs" / "sessions").symlink_to(victim / "sessions")
    with pytest.raises(PermissionDenied, match="is a link"):
        SessionRegistration("gaming", 48000, 1)
    assert everything_in(victim) == before


@pytest.mark.linux("Windows keeps each user's profile closed")
def test_a_link_of_another_user_s_leads_to_no_deletion(
    second_user: SecondUser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    foreign_sessions(victim)
    before = everything_in(victim)
    second_user.run("ln", "-s", str(victim), str(second_user.shared / "pypac-obs"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(second_user.shared))
    with pytest.raises(PermissionDenied, match=f"belongs to .*UID {second_user.uid}"):
        SessionRegistration("gaming", 48000, 1)
    assert running_sessions() == ()
    assert everything_in(victim) == before


def test_of_a_stale_session_only_its_own_files_are_removed(runtime: Path, tmp_path: Path) -> None:
    sessions = make_folder("sessions")
    precious = foreign_sessions(sessions.parent)
    (sessions / "not a session").mkdir(mode=0o700)
    os.utime(sessions / "not a session", (1, 1))
    if sys.platform != "win32":
        (tmp_path / "letters-1").mkdir()
        (tmp_path / "letters-1" / "session.json").write_text("mine")
        os.utime(tmp_path / "letters-1", (1, 1))
        (sessions / "letters-1").symlink_to(tmp_path / "letters-1")
    SessionRegistration("gaming", 48000, 1).close()
    left = {path.relative_to(precious).as_posix() for path in everything_in(precious)}
    assert left == {"letter.txt", "marks", "marks/photo.jpg"}
    assert (sessions / "not a session").is_dir()
    assert sys.platform == "win32" or (tmp_path / "letters-1" / "session.json").exists()


@pytest.mark.linux("descriptors are limited by POSIX's ulimit")
def test_a_session_that_cannot_be_read_for_now_is_not_cleared_away(
    gaming: SessionRegistration, monkeypatch: pytest.MonkeyPatch
) -> None:
    [session] = running_sessions()
    os.utime(session.folder, (1, 1))

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(OwnFolder, "read", refuse)
        SessionRegistration("other", 48000, 2).close()
    assert running_sessions() == (session,)


def test_a_process_that_only_has_the_same_number_is_not_the_session() -> None:
    registration = SessionRegistration("gaming", 48000, 1)
    [session] = running_sessions()
    file = session.folder / "session.json"
    values = json.loads(file.read_text())
    file.write_text(json.dumps(values | {"pid_started": values["pid_started"] - 1}))
    assert running_sessions() == ()
    registration.close()


def test_a_mark_gets_there(gaming: SessionRegistration) -> None:
    [session] = running_sessions()
    with Taker(gaming) as taker:
        assert session.mark(" first\nkill ", 3_500_000_000) == TakenMark(120_000, in_file=True)
        assert session.mark("too early", 5).frame == 0
    assert taker.marks == [Mark(3_500_000_000, "first kill"), Mark(5, "too early")]


def test_marks_come_in_the_order_of_their_times(gaming: SessionRegistration) -> None:
    folder = marks_folder()
    for host_ns in (30, 10, 20):
        mark = json.dumps({"host_ns": host_ns, "text": "x"})
        (folder / f"{100 - host_ns}.json").write_text(mark)
    assert [mark.host_ns for mark in gaming.take_marks()] == [10, 20, 30]
    assert gaming.take_marks() == []
    assert list(folder.iterdir()) == []


def test_what_is_no_mark_is_set_aside_and_said(gaming: SessionRegistration, tmp_path: Path) -> None:
    folder = marks_folder()
    secret = tmp_path / "secret"
    secret.write_text('{"host_ns": 1, "text": "secret"}')
    for number, content in enumerate(
        [
            "",
            "{",
            "[]",
            "[" * 100_000,
            "x" * 10**6,
            '{"host_ns": "1", "text": "x"}',
            '{"host_ns": true, "text": "x"}',
            '{"host_ns": -1, "text": "x"}',
            '{"host_ns": 1e3, "text": "x"}',
            '{"host_ns": 99999999999999999999, "text": "x"}',
            '{"host_ns": 1}',
            '{"host_ns": 1, "text": ""}',
            '{"host_ns": 1, "text": 7}',
            '{"host_ns": 1, "text": "\\u001b[31m"}',
            json.dumps({"host_ns": 1, "text": "x" * 501}),
        ]
    ):
        (folder / f"{number}.json").write_text(content)
    kinds = 1 if sys.platform == "win32" else 3
    if sys.platform != "win32":
        (folder / "link.json").symlink_to(secret)
        os.mkfifo(folder / "pipe.json")
        if os.geteuid() == 0:
            os.mknod(folder / "device.json", 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # endless
            kinds += 1
    (folder / "folder.json").mkdir()
    (folder / "folder.json" / "letter.txt").write_text("mine")
    (folder / ".part.json").write_text("not yet")
    assert gaming.take_marks() == []
    assert [path.name for path in folder.iterdir()] == [".part.json"]
    aside = sorted((folder.parent / "set-aside").iterdir())
    assert len(aside) == 15 + kinds
    assert any((path / "letter.txt").exists() for path in aside)
    assert secret.exists()
    trouble = gaming.take_trouble()
    assert len(trouble) == 2
    assert "no mark and is left unused" in trouble[0] + trouble[1]
    assert "no plain file and is left unused" in trouble[0] + trouble[1]
    (folder / "more.json").mkdir()
    assert gaming.take_marks() == []
    assert gaming.take_trouble() == []  # each kind once


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.linux("Windows opens no folders as files")
@pytest.mark.parametrize("kind", ["folder", "full folder", "pipe", "link"])
def test_what_is_no_plain_file_leaks_no_descriptor(gaming: SessionRegistration, kind: str) -> None:
    folder = marks_folder()
    before = open_descriptors()
    for number in range(100):
        path = folder / f"{number}.json"
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "link":
            path.symlink_to("/etc")
        else:
            path.mkdir()
            if kind == "full folder":
                (path / "1.json").write_text('{"host_ns": 1, "text": "x"}')
        assert gaming.take_marks() == []
        running_sessions()
    assert open_descriptors() <= before


@pytest.mark.linux("Windows opens no folders as files")
def test_a_session_file_that_is_a_folder_leaks_no_descriptor() -> None:
    session = make_folder("sessions", "x-1") / "session.json"
    session.mkdir()
    before = open_descriptors()
    for _ in range(50):
        assert running_sessions() == ()
    assert open_descriptors() <= before


@pytest.mark.linux("descriptors are limited by POSIX's ulimit")
def test_a_mark_that_cannot_be_read_now_is_read_later(gaming: SessionRegistration) -> None:
    (marks_folder() / "1.json").write_text('{"host_ns": 1, "text": "x"}')

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OwnFolder, "read", refuse)
        assert gaming.take_marks() == []
    assert [mark.text for mark in gaming.take_marks()] == ["x"]


def test_a_mark_that_cannot_be_taken_away_is_not_taken_again_and_again(
    gaming: SessionRegistration,
) -> None:
    (marks_folder() / "1.json").write_text('{"host_ns": 1, "text": "x"}')

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OwnFolder, "remove", refuse)
        assert [gaming.take_marks(), gaming.take_marks()] == [[], []]
    assert len(gaming.take_marks()) == 1


def test_a_mark_counts_only_once_the_session_answers(
    gaming: SessionRegistration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypac_obs.session_registry._TAKEN_WITHIN_S", 0.2)
    monkeypatch.setattr("pypac_obs.session_registry._ANSWERED_WITHIN_S", 0.2)
    [session] = running_sessions()
    taking = threading.Thread(target=lambda: (time.sleep(0.1), gaming.take_marks()))
    taking.start()
    with pytest.raises(NotRunning, match="does not take the mark"):
        session.mark("taken, and lost")
    taking.join()


def test_an_answer_reaches_its_mark_though_the_session_ends(gaming: SessionRegistration) -> None:
    [session] = running_sessions()
    answered = threading.Event()

    def end() -> None:
        while not (marks := gaming.take_marks()):
            time.sleep(0.01)
        gaming.answer(marks[0], TakenMark(7, in_file=False))
        gaming.close()
        answered.set()

    ending = threading.Thread(target=end)
    ending.start()
    assert session.mark("the last") == TakenMark(7, in_file=False)
    ending.join()
    assert running_sessions() == ()


@pytest.mark.parametrize(
    ("off_s", "why"), [(3600.0, "in the future"), (1.0, "in the future"), (-60.0, "before")]
)
def test_a_mark_of_an_impossible_time_is_set_aside_and_said(
    tmp_path: Path, off_s: float, why: str
) -> None:
    files = {"files": {"folder": str(tmp_path / "rec")}}
    profile = Profile.from_dict(PROFILE | {"outputs": files})
    with Session(profile, name="gaming") as session:
        [running] = running_sessions()
        start_ns = running.start_host_ns if off_s < 0 else _core.host_now_ns() + 10**9
        with pytest.raises(OutputFailed, match=f"does not take the mark: its time is .*{why}"):
            running.mark("x", round(start_ns + off_s * 1e9))
        [aside] = (running.folder / "set-aside").iterdir()
        assert json.loads(aside.read_text())["text"] == "x"
        until(lambda: any(why in text for text in session.status().warnings))
        assert running.mark("now").in_file
        assert running.mark("just before it began", running.start_host_ns - 10**9).frame == 0
    assert [marker.text for marker in session.markers] == ["now", "just before it began"]
    markers = json.loads((tmp_path / "rec" / "session.json").read_text())["markers"]
    assert {marker["text"] for marker in markers} == {"now", "just before it began"}


def test_a_refused_mark_says_why(gaming: SessionRegistration) -> None:
    [session] = running_sessions()

    def refuse() -> None:
        while not (marks := gaming.take_marks()):
            time.sleep(0.01)
        gaming.refuse(marks[0], "there are too many")

    refusing = threading.Thread(target=refuse)
    refusing.start()
    with pytest.raises(OutputFailed, match="gaming does not take the mark: there are too many"):
        session.mark("x")
    refusing.join()


def test_a_flood_of_marks_is_taken_in_pieces(gaming: SessionRegistration) -> None:
    folder = marks_folder()
    for number in range(450):
        (folder / f"{number}.json").write_text(f'{{"host_ns": {number}, "text": "x"}}')
    assert [len(gaming.take_marks()) for _ in range(4)] == [200, 200, 50, 0]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"name": "x", "pid": 1}', "[" * 100_000, "x" * 10**6]
)
def test_what_is_no_session_is_not_listed(content: str) -> None:
    folder = runtime_folder() / "sessions" / "x-1"
    folder.mkdir(parents=True)
    (folder / "session.json").write_text(content)
    assert running_sessions() == ()


def test_a_session_that_does_not_take_a_mark_is_told(
    gaming: SessionRegistration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypac_obs.session_registry._TAKEN_WITHIN_S", 0.1)
    [session] = running_sessions()
    with pytest.raises(NotRunning, match="does not take the mark"):
        session.mark("x")
    assert gaming.take_marks() == []  # it is withdrawn
    gaming.close()
    with pytest.raises(NotRunning, match="does not take the mark"):
        session.mark("x")


def test_a_full_runtime_folder_is_told(
    gaming: SessionRegistration, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(OwnFolder, "write", no_room)
    result = CliRunner().invoke(commands, ["mark", "here"])
    assert result.exit_code == 1
    folder = running_sessions()[0].folder.parent.parent
    assert result.stderr == (
        f"Error: the mark cannot be left for the session gaming: the folder {folder} is full.\n"
        f"Make room in {folder.parent}, then mark again.\n"
    )


def test_a_session_that_has_no_room_for_its_answer_is_not_called_hung(
    gaming: SessionRegistration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypac_obs.session_registry._TAKEN_WITHIN_S", 0.01)
    monkeypatch.setattr("pypac_obs.session_registry._free_bytes", lambda _: 100)
    [session] = running_sessions()
    with pytest.raises(OutputFailed, match="is full"):
        session.mark("here")


@pytest.mark.parametrize("text", ["", " \n ", "a\x1bb", "x" * 501, "\ud800"])
def test_what_is_no_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a mark has a text"):
        checked_text(text)


# In a session -------------------------------------------------------------------------------------


def mark(*args: str) -> Result:
    return CliRunner().invoke(commands, ["mark", *args])


def test_marks_of_a_session_are_in_its_manifest(tmp_path: Path) -> None:
    files = {"files": {"folder": str(tmp_path / "rec")}}
    session = Session(Profile.from_dict(PROFILE | {"outputs": files}), name="gaming")
    with session:
        before = session.position
        result = mark("first kill")
        assert result.exit_code == 0, result.output
        own = session.mark("by Python")
        assert own >= before
    assert running_sessions() == ()
    manifest = json.loads((tmp_path / "rec" / "session.json").read_text())
    assert [entry["text"] for entry in manifest["markers"]] == ["first kill", "by Python"]
    frame = manifest["markers"][0]["frame"]
    assert f"(frame {frame})" in result.output
    assert result.output.startswith("gaming: marked 0:00.")
    assert manifest["markers"][1]["frame"] == own == session.markers[1].frame
    assert [marker.text for marker in session.markers] == ["first kill", "by Python"]
    # The same, where the mark came before the first frame was due.
    assert manifest["markers"][0]["time"] >= manifest["start"]["wall"]


KEPT_NOWHERE = ", but no files are being written that keep it"


def test_the_command_says_whether_a_file_keeps_the_mark(tmp_path: Path) -> None:
    files = FollowingFiles(FilesOutput(folder=str(tmp_path / "rec")), list)
    profile = Profile.from_dict(PROFILE)
    with Session(profile, name="gaming", outputs=[files]) as session:
        assert mark("between").output.rstrip().endswith(KEPT_NOWHERE)
        now_ns = _core.host_now_ns()
        files.begin(Take("take.mkv", "take", None, now_ns, 0.0))
        until(files.keeps_marks)
        result = mark("within")
        assert result.exit_code == 0
        assert result.output.rstrip().endswith(")")
        files.end(_core.host_now_ns())
        until(lambda: not files.keeps_marks())
        result = mark("after")
        assert result.exit_code == 0
        assert result.output.rstrip().endswith(KEPT_NOWHERE)
    manifest = json.loads((tmp_path / "rec" / "take session.json").read_text())
    assert [entry["text"] for entry in manifest["markers"]] == ["within"]
    assert len(session.markers) == 3


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_files_that_have_failed_keep_no_mark(tmp_path: Path) -> None:
    files = {"files": {"folder": str(tmp_path / "rec")}}
    session = Session(Profile.from_dict(PROFILE | {"outputs": files}), name="gaming")
    with session:
        assert KEPT_NOWHERE not in mark("kept").output
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(split_files.FilesOutput, "write", lambda *_: 1 / 0)
            until(lambda: bool(session.errors))
        assert KEPT_NOWHERE in mark("not kept").output


def test_a_session_that_writes_no_files_says_so() -> None:
    with Session(Profile.from_dict(PROFILE), name="gaming"):
        assert mark("x").output.rstrip().endswith(KEPT_NOWHERE)


def test_a_session_warns_of_what_is_no_mark() -> None:
    with Session(Profile.from_dict(PROFILE), name="gaming") as session:
        (marks_folder() / "folder.json").mkdir()
        until(lambda: any("no plain file" in text for text in session.status().warnings))
        assert mark("x").exit_code == 0
    assert running_sessions() == ()
    assert list((runtime_folder() / "sessions").iterdir()) == []


def test_a_session_with_all_its_marks_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pypac_obs.session.session.MOST_MARKERS", 1)
    with Session(Profile.from_dict(PROFILE), name="gaming") as session:
        assert mark("first").exit_code == 0
        second = mark("second")
        assert second.exit_code == 1
        assert "does not take the mark: it has 1 marks already" in second.output
        with pytest.raises(OutputFailed, match="marks already"):
            session.mark("by Python")
    assert [marker.text for marker in session.markers] == ["first"]


def test_every_session_gets_the_mark_or_the_one_that_is_named() -> None:
    profile = Profile.from_dict(PROFILE)
    with Session(profile, name="one") as one, Session(profile, name="two") as two:
        assert mark("for both").output.count("marked") == 2
        assert mark("for two", "--session", "two").output.startswith("two: marked")
        result = mark("for none", "--session", "three")
        assert isinstance(result.exception, SystemExit)
        assert result.exit_code == 1
        assert "no session named three runs" in result.output
        assert "These do: one, two." in result.output
    assert [marker.text for marker in one.markers] == ["for both"]
    assert [marker.text for marker in two.markers] == ["for both", "for two"]


def test_without_a_session_the_command_says_so() -> None:
    result = mark("x")
    assert result.exit_code == 1
    assert "no session runs" in result.output


def test_a_text_that_is_none_is_wrong_usage() -> None:
    result = mark("")
    assert result.exit_code == 2
    assert "1 to 500 printable characters" in result.output


def test_the_command_marks_the_moment_of_its_call() -> None:
    with Session(Profile.from_dict(PROFILE), name="gaming") as session:
        called_ns = _core.host_now_ns()
        subprocess.run(
            [sys.executable, "-Im", "pypac_obs.cli", "mark", "now"], check=True, capture_output=True
        )
        start_ns = running_sessions()[0].start_host_ns
    [marker] = session.markers
    called = (called_ns - start_ns) * session.sample_rate // 10**9
    # The process begins some ms after the call; Python takes longer than that to load.
    assert called - 0.02 * session.sample_rate <= marker.frame


def test_an_offline_session_has_no_moments() -> None:
    session = Session(Profile.from_dict(PROFILE), offline=True)
    with session:
        assert running_sessions() == ()


def test_a_session_runs_where_it_cannot_be_made_known(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_RUNTIME_DIR", "USERPROFILE"):
        monkeypatch.setenv(name, str(runtime / "nowhere"))
    with Session(Profile.from_dict(PROFILE), name="gaming") as session:
        [warning] = [text for text in session.status().warnings if "pypac-obs mark" in text]
        assert "cannot be made" in warning
        session.mark("still possible")
    assert len(session.markers) == 1
